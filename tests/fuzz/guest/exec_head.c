/* The first bytes of whatever an image names as its program. */

#include <string.h>

#include "guest/exec_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char interpreter[64];
	uint64_t at, length;

	if (exec_interpreter(data, size, interpreter, sizeof(interpreter)))
		assert(*interpreter && strlen(interpreter) < sizeof(interpreter));
	if (exec_elf_loader(data, size, &at, &length))
		assert(length && exec_is_elf(data, size));
	(void)exec_elf_machine(data, size);
	assert(*exec_kind(data, size));
	if (exec_is_crlf(data, size))
		assert(memchr(data, '\r', size));
	return 0;
}
