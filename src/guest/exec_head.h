/* exec_head.h - what a file is, by its first bytes.  Pure; the bytes are a stranger's. */
#ifndef GUEST_EXEC_HEAD_H
#define GUEST_EXEC_HEAD_H

#include "base/base.h"

/* The interpreter of a first line "#! interpreter argument".  A carriage return stays in it, as in
 * the kernel.  False: the file has no such line. */
bool exec_interpreter(const uint8_t *head, size_t n, char *interpreter, size_t room);

bool exec_is_elf(const uint8_t *head, size_t n);

/* Where an ELF program names its loader.  False: it names none, or not in these bytes. */
bool exec_elf_loader(const uint8_t *head, size_t n, uint64_t *at, uint64_t *size);

/* The processor that an ELF program is for, as uname names it, or NULL if it is an unknown one. */
const char *exec_elf_machine(const uint8_t *head, size_t n);

bool exec_is_crlf(const uint8_t *head, size_t n); /* a text whose first line ends with CRLF */

/* What is wrong with a file that the kernel does not take for a program, as the end of a sentence
 * that begins with the file. */
const char *exec_kind(const uint8_t *head, size_t n);

#endif
