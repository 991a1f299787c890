#include "base/stamp.h"

#include <time.h>

void stamp_text(int64_t wall_ms, char text[STAMP_SIZE])
{
	time_t at = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (!gmtime_r(&at, &tm) || !strftime(text, STAMP_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm))
		*text = '\0';
}
