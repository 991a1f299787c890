/* format.h - the header of a snapshot (docs/snapshot-format.md), as pure functions.
 *
 * The header is plain little-endian bytes that every later version can read.  So even a program
 * that cannot load a snapshot can say what it needs.  The parser trusts no length and no number;
 * fuzzed. */
#ifndef MACHINE_FORMAT_H
#define MACHINE_FORMAT_H

#include "base/buf.h"
#include "base/err.h"

#define FORMAT_VERSION 1
#define FORMAT_PAGE    4096
#define FORMAT_TSC_PPM 500 /* TSC rates that differ by no more count as equal */

enum format_arch { FORMAT_X86_64 = 62, FORMAT_AARCH64 = 183 }; /* the numbers of ELF */

enum format_content {
	FORMAT_IMAGE = 1, /* MEMORY holds all of the RAM */
	FORMAT_SAVE = 2,  /* MEMORY holds the runs, over an image's */
};

struct format {
	/* Fixed part. */
	uint32_t arch;
	char kind[16];   /* of the machine process: "qemu", "vmm" */
	char writer[32]; /* doze's version */

	/* SHAP */
	uint8_t id[16];   /* random, of this snapshot */
	uint8_t over[16]; /* of a save: the id of the image it differs from */
	uint32_t content; /* enum format_content */
	uint32_t vcpus, memory_mib;
	char machine[32]; /* devices and CPU by name */
	uint64_t state_bytes;

	/* Only of kind "qemu"; doze-vmm keeps what it needs to know of CPUs in its state. */
	char qemu[32];  /* QEMU: upstream version */
	uint64_t cpuid; /* CPUI: hash of the guest's CPU features */

	uint64_t tsc_khz; /* TSCR: rate of the counter that the guest reads */

	/* RUNS: the page runs that the MEMORY of a save holds, by ascending address, 16 bytes each.
	 */
	const uint8_t *runs; /* borrowed */
	size_t n_runs;

	/* AGNT, if present: bytes of the guest's agent that reached no owner.  They are the start
	 * of a frame whose rest is still in the guest. */
	const uint8_t *agent; /* borrowed */
	size_t n_agent;
};

/* A run of `n` pages, starting at page `first`. */
struct format_run {
	uint64_t first, n;
};

void format_write(struct buf *b, const struct format *f);
/* The runs and the agent's bytes in *f point into @data.  The runs lie inside the memory, in order,
 * and none is empty. */
int format_parse(const uint8_t *data, size_t size, struct format *f, struct err *e) must_check;

struct format_run format_run(const struct format *f, size_t i);
void format_add_run(struct buf *runs, uint64_t first, uint64_t n); /* encode one */

/* Does the snapshot fit this machine (checked before anything starts) and this host (checked once
 * QEMU has said what it is)?  The error says what it would need. */
int format_fits_machine(const struct format *snapshot, const struct format *here,
			struct err *e) must_check;
int format_fits_host(const struct format *snapshot, const struct format *here,
		     struct err *e) must_check;

#endif
