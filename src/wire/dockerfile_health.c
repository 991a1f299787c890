/* dockerfile_health.c - HEALTHCHECK. */

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "wire/dockerfile_job.h"

static bool dockerfile_duration(const char *text)
{
	static const char *const units[] = { "ns", "us", "ms", "s", "m", "h" };

	if (!strcmp(text, "0"))
		return true;
	if (!*text)
		return false;
	while (*text) {
		size_t n = strspn(text, "0123456789."), unit = 0, i;

		for (i = 0; n && !unit && i < ARRAY_SIZE(units); i++)
			if (!strncmp(text + n, units[i], strlen(units[i])) &&
			    !isalpha((unsigned char)text[n + strlen(units[i])]))
				unit = strlen(units[i]);
		if (!unit)
			return false;
		text += n + unit;
	}
	return true;
}

/* The builder does not know --start-interval, which matters to nobody before the image runs. */
static int dockerfile_healthcheck_flag(struct dockerfile_job *j, const struct dockerfile_part *flag,
				       struct buf *line)
{
	static const char *const names[] = { "--interval", "--timeout", "--start-period",
					     "--start-interval", "--retries" };
	autobuf struct buf value = { 0 };
	int which = dockerfile_flag_which(j, flag, names, ARRAY_SIZE(names));
	const char *text;

	if (which < 0)
		return -1;
	dockerfile_flag_value(flag, &value);
	text = buf_str(&value);
	if (which == 4 ? !*text || text[strspn(text, "0123456789")] : !dockerfile_duration(text))
		return dockerfile_refuse(j, "HEALTHCHECK %s: '%.40s' is not understood",
					 names[which], text);
	if (which != 3)
		buf_addf(line, "%s=%s ", names[which], text);
	return 0;
}

int dockerfile_lower_healthcheck(struct dockerfile_job *j)
{
	autobuf struct buf line = { 0 };
	struct dockerfile_parts p;
	const struct dockerfile_part *w;
	int rc = 0;

	dockerfile_parts_read(&p, j->inst, j->escape);
	w = p.words;
	for (size_t i = 0; !rc && i < p.n_flags; i++)
		rc = dockerfile_healthcheck_flag(j, &p.flags[i], &line);
	if (!rc && p.n_words == 1 && w->size == 4 && !strncasecmp(w->text, "NONE", 4))
		dockerfile_put_config(j, "NONE");
	else if (!rc && p.n_words > 1 && w->size == 3 && !strncasecmp(w->text, "CMD", 3)) {
		buf_addf(&line, "CMD %s", w[1].text);
		dockerfile_put_config(j, buf_str(&line));
	} else if (!rc) {
		rc = dockerfile_refuse(j, "HEALTHCHECK takes NONE, or CMD and a command");
	}
	dockerfile_parts_free(&p);
	return rc;
}
