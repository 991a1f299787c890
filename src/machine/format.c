#include "machine/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/limits.h"

#define MAGIC      "DOZESNAP"
#define FIXED_SIZE 72 /* magic, format, arch, kind, writer, number of sections, crc */
#define ENTRY_SIZE 32 /* tag, version, flags, crc, offset, length */
#define MAX_TABLE  64
#define MANDATORY  1U
#define RUN_SIZE   16

enum format_section {
	SECTION_SHAP,
	SECTION_QEMU,
	SECTION_CPUI,
	SECTION_TSCR,
	SECTION_RUNS,
	SECTION_AGNT,
	N_SECTIONS
};

/* Read text from a field of fixed size, padded with zeros.  False if it is not terminated. */
static bool get_text(const uint8_t *from, size_t size, char *to)
{
	memcpy(to, from, size);
	return memchr(to, '\0', size) != NULL;
}

static void put_text(uint8_t *to, size_t size, const char *from)
{
	assert(strlen(from) < size);
	memset(to, 0, size);
	memcpy(to, from, strlen(from) + 1);
}

#define SHAP_SIZE 88

static void shap_put(struct buf *b, const struct format *f)
{
	uint8_t d[SHAP_SIZE] = { 0 };

	put_le32(d, f->content);
	put_le32(d + 4, f->vcpus);
	put_le32(d + 8, f->memory_mib);
	put_le64(d + 16, f->state_bytes);
	memcpy(d + 24, f->id, sizeof(f->id));
	memcpy(d + 40, f->over, sizeof(f->over));
	put_text(d + 56, sizeof(f->machine), f->machine);
	buf_add(b, d, sizeof(d));
}

static bool shap_get(struct format *f, const uint8_t *d, size_t size)
{
	if (size != SHAP_SIZE)
		return false;
	f->content = get_le32(d);
	f->vcpus = get_le32(d + 4);
	f->memory_mib = get_le32(d + 8);
	f->state_bytes = get_le64(d + 16);
	memcpy(f->id, d + 24, sizeof(f->id));
	memcpy(f->over, d + 40, sizeof(f->over));
	return get_text(d + 56, sizeof(f->machine), f->machine) &&
	       (f->content == FORMAT_IMAGE || f->content == FORMAT_SAVE);
}

static void qemu_put(struct buf *b, const struct format *f)
{
	uint8_t d[sizeof(f->qemu)];

	put_text(d, sizeof(d), f->qemu);
	buf_add(b, d, sizeof(d));
}

static bool qemu_get(struct format *f, const uint8_t *d, size_t size)
{
	return size == sizeof(f->qemu) && get_text(d, size, f->qemu);
}

static void u64_put(struct buf *b, uint64_t v)
{
	uint8_t d[8];

	put_le64(d, v);
	buf_add(b, d, sizeof(d));
}

static void cpui_put(struct buf *b, const struct format *f)
{
	u64_put(b, f->cpuid);
}

static bool cpui_get(struct format *f, const uint8_t *d, size_t size)
{
	f->cpuid = size == 8 ? get_le64(d) : 0;
	return size == 8;
}

static void tscr_put(struct buf *b, const struct format *f)
{
	u64_put(b, f->tsc_khz);
}

static bool tscr_get(struct format *f, const uint8_t *d, size_t size)
{
	f->tsc_khz = size == 8 ? get_le64(d) : 0;
	return f->tsc_khz != 0;
}

static void runs_put(struct buf *b, const struct format *f)
{
	buf_add(b, f->runs, f->n_runs * RUN_SIZE);
}

static bool runs_get(struct format *f, const uint8_t *d, size_t size)
{
	f->runs = d;
	f->n_runs = size / RUN_SIZE;
	return size % RUN_SIZE == 0;
}

static void agnt_put(struct buf *b, const struct format *f)
{
	buf_add(b, f->agent, f->n_agent);
}

static bool agnt_get(struct format *f, const uint8_t *d, size_t size)
{
	f->agent = d;
	f->n_agent = size;
	return size <= LIMIT_AGENT_HELD;
}

static bool always(const struct format *f)
{
	(void)f;
	return true;
}

static bool if_qemu(const struct format *f)
{
	return !strcmp(f->kind, "qemu");
}

static bool if_save(const struct format *f)
{
	return f->content == FORMAT_SAVE;
}

static bool if_any(const struct format *f)
{
	return f->n_agent != 0;
}

/* clang-format off */
static const struct {
	char tag[5];
	bool (*present)(const struct format *f);
	void (*put)(struct buf *b, const struct format *f);
	bool (*get)(struct format *f, const uint8_t *data, size_t size); /* false: malformed */
} sections[] = {
	[SECTION_SHAP] = { "SHAP", always,  shap_put, shap_get },
	[SECTION_QEMU] = { "QEMU", if_qemu, qemu_put, qemu_get },
	[SECTION_CPUI] = { "CPUI", if_qemu, cpui_put, cpui_get },
	[SECTION_TSCR] = { "TSCR", always,  tscr_put, tscr_get },
	[SECTION_RUNS] = { "RUNS", if_save, runs_put, runs_get },
	[SECTION_AGNT] = { "AGNT", if_any,  agnt_put, agnt_get },
};
/* clang-format on */
static_assert(ARRAY_SIZE(sections) == N_SECTIONS, "a row for each section");

struct format_run format_run(const struct format *f, size_t i)
{
	const uint8_t *d = f->runs + i * RUN_SIZE;

	return (struct format_run){ get_le64(d), get_le64(d + 8) };
}

void format_add_run(struct buf *runs, uint64_t first, uint64_t n)
{
	u64_put(runs, first);
	u64_put(runs, n);
}

static uint32_t section_count(const struct format *f)
{
	uint32_t n = 0;

	for (size_t i = 0; i < N_SECTIONS; i++)
		n += sections[i].present(f);
	return n;
}

/* The crc of the fixed part covers the table and the fixed part itself, its own field as zero. */
void format_write(struct buf *b, const struct format *f)
{
	uint32_t n = section_count(f);
	size_t head = FIXED_SIZE + (size_t)n * ENTRY_SIZE;
	autofree uint8_t *d = xcalloc(1, head);
	struct buf body = { 0 };
	uint8_t *entry = d + FIXED_SIZE;

	memcpy(d, MAGIC, sizeof(MAGIC)); /* The next field overwrites its NUL. */
	put_le32(d + 8, FORMAT_VERSION);
	put_le32(d + 12, f->arch);
	put_text(d + 16, sizeof(f->kind), f->kind);
	put_text(d + 32, sizeof(f->writer), f->writer);
	put_le32(d + 64, n);
	for (size_t i = 0; i < N_SECTIONS; i++) {
		size_t at = body.size;

		if (!sections[i].present(f))
			continue;
		sections[i].put(&body, f);
		memcpy(entry, sections[i].tag, 4);
		put_le32(entry + 4, 1);
		put_le32(entry + 8, MANDATORY);
		put_le32(entry + 12, crc32c(body.data + at, body.size - at));
		put_le64(entry + 16, head + at);
		put_le64(entry + 24, body.size - at);
		entry += ENTRY_SIZE;
	}
	put_le32(d + 68, crc32c(d, head));
	buf_add(b, d, head);
	buf_add(b, body.data, body.size);
	buf_free(&body);
}

static int parse_fixed(const uint8_t *data, size_t size, struct format *f, struct err *e)
{
	uint8_t zero[FIXED_SIZE];
	size_t head;
	uint32_t n, crc;

	if (size < FIXED_SIZE || memcmp(data, MAGIC, 8) != 0)
		return err_set(e, ERR_INVALID, "this is not the header of a snapshot");
	if (get_le32(data + 8) != FORMAT_VERSION)
		return err_set(e, ERR_INVALID,
			       "the snapshot has format %" PRIu32 "; this program reads format %d",
			       get_le32(data + 8), FORMAT_VERSION);
	n = get_le32(data + 64);
	head = FIXED_SIZE + (size_t)(n < MAX_TABLE ? n : MAX_TABLE) * ENTRY_SIZE;
	if (n > MAX_TABLE || size < head)
		return err_set(e, ERR_INVALID, "the snapshot's header is cut off");
	memcpy(zero, data, FIXED_SIZE);
	put_le32(zero + 68, 0);
	crc = crc32c_more(crc32c(zero, FIXED_SIZE), data + FIXED_SIZE, head - FIXED_SIZE);
	if (crc != get_le32(data + 68))
		return err_set(e, ERR_INVALID, "the snapshot's header is damaged");
	f->arch = get_le32(data + 12);
	if (!get_text(data + 16, sizeof(f->kind), f->kind) ||
	    !get_text(data + 32, sizeof(f->writer), f->writer))
		return err_set(e, ERR_INVALID, "the snapshot's header is damaged");
	return 0;
}

static size_t section_find(const char tag[5])
{
	size_t i = 0;

	while (i < N_SECTIONS && memcmp(sections[i].tag, tag, 4) != 0)
		i++;
	return i;
}

/* An unknown section, or an unknown version of one, may be skipped unless it is mandatory. */
static int parse_section(const uint8_t *data, size_t size, const uint8_t *entry, struct format *f,
			 unsigned *seen, struct err *e)
{
	uint64_t at = get_le64(entry + 16), length = get_le64(entry + 24);
	uint32_t version = get_le32(entry + 4);
	char tag[5] = { 0 };
	size_t i;

	for (int c = 0; c < 4; c++)
		tag[c] = entry[c] > ' ' && entry[c] <= '~' ? (char)entry[c] : '?';
	i = section_find(tag);
	if (i == N_SECTIONS || version != 1) {
		if (!(get_le32(entry + 8) & MANDATORY))
			return 0;
		return err_set(e, ERR_INVALID,
			       "the snapshot needs its section %s version %" PRIu32
			       ", which this program does not know (written by doze %s)",
			       tag, version, f->writer);
	}
	if (at > size || length > size - at || *seen & 1U << i ||
	    crc32c(data + at, length) != get_le32(entry + 12) ||
	    !sections[i].get(f, data + at, length))
		return err_set(e, ERR_INVALID, "section %s of the snapshot's header is damaged",
			       tag);
	*seen |= 1U << i;
	return 0;
}

static int parse_runs(const struct format *f, struct err *e)
{
	uint64_t pages = f->memory_mib * MIB / FORMAT_PAGE, next = 0;

	for (size_t i = 0; i < f->n_runs; i++) {
		struct format_run run = format_run(f, i);

		if (run.first < next || !run.n || run.first > pages || run.n > pages - run.first)
			return err_set(e, ERR_INVALID,
				       "the snapshot's list of pages makes no sense");
		next = run.first + run.n;
	}
	return 0;
}

int format_parse(const uint8_t *data, size_t size, struct format *f, struct err *e)
{
	unsigned seen = 0, needed = 0;

	*f = (struct format){ 0 };
	if (parse_fixed(data, size, f, e))
		return -1;
	for (uint32_t i = 0; i < get_le32(data + 64); i++)
		if (parse_section(data, size, data + FIXED_SIZE + (size_t)i * ENTRY_SIZE, f, &seen,
				  e))
			return -1;
	for (size_t i = 0; i < N_SECTIONS; i++)
		if (sections[i].present(f))
			needed |= 1U << i;
	if ((seen & needed) != needed)
		return err_set(e, ERR_INVALID, "a section of the snapshot's header is missing");
	return parse_runs(f, e);
}
