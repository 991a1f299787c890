/* lean.c - qemu-lean.so, loaded in front of QEMU's own libraries (child.c) so that each QEMU holds
 * less memory of its own.  Where it is missing QEMU runs as ever.
 *
 * To the loader it is libcapstone, by its soname: the disassembler, for traces that nobody asks
 * for, whose tables of pointers would be 1.3 MB of relocated pages in each QEMU.
 *
 * And it says that the lines of the instruction cache are short.  QEMU begins each block of
 * translated code, and its record in front of it, on such a line: with the 64 bytes of a real one
 * a clone's 37,000 blocks have 2.7 MB of gaps between them. */

#include <unistd.h>

#define LEAN_LINE 16 /* a power of two; QEMU rounds the end of each block up to 16 anyway */

enum { LEAN_REFUSED = 4 }; /* CS_ERR_CSH */

/* What QEMU needs of Capstone.  It goes no further than cs_open(), which refuses. */
int cs_open(void);
int cs_option(void);
int cs_malloc(void);
int cs_disasm_iter(void);
int cs_close(void);

long __sysconf(int name); /* glibc's other name for what is hidden here */

int cs_open(void)
{
	return LEAN_REFUSED;
}

int cs_option(void)
{
	return LEAN_REFUSED;
}

int cs_malloc(void)
{
	return 0;
}

int cs_disasm_iter(void)
{
	return 0;
}

int cs_close(void)
{
	return 0;
}

long sysconf(int name)
{
	return name == _SC_LEVEL1_ICACHE_LINESIZE ? LEAN_LINE : __sysconf(name);
}
