/* lean.c - qemu-lean.so, which is loaded before QEMU's own libraries (child.c) so that each QEMU
 * needs less private memory.  Without it QEMU works as usual.
 *
 * It has the soname of libcapstone, so the loader takes it for that disassembler.  doze needs no
 * traces, and the real library's tables of pointers would be 1.3 MB of relocated pages in each
 * QEMU.
 *
 * It also reports short lines of the instruction cache.  QEMU aligns each block of translated code,
 * and the record before it, to such a line.  With the real 64 bytes the 37,000 blocks of a clone
 * have 2.7 MB of gaps between them. */

#include <unistd.h>

#define LEAN_LINE 16 /* a power of two; QEMU rounds the end of each block up to 16 anyway */

enum { LEAN_REFUSED = 4 }; /* CS_ERR_CSH */

/* QEMU calls these functions of Capstone.  It stops at cs_open(), which refuses. */
int cs_open(void);
int cs_option(void);
int cs_malloc(void);
int cs_disasm_iter(void);
int cs_close(void);

long __sysconf(int name); /* glibc's other name for the function that is replaced here */

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
