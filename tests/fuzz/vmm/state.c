/* A state file of the right form, mutated record by record (their CRCs are made right): all that
 * doze-vmm loads. What it takes, the devices write again and take again; then they run, with rings
 * that may lie anywhere. */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/io.h"
#include "base/log.h"
#include "unit/vmm/bare.h"
#include "vmm/snap/record.h"
#include "vmm/virtio/core.h"

#define MEMORY    (128 * MIB)
#define HEAD      32U /* of a record: its length at 16, its CRC at 24 */
#define STATE_MAX (256 * KIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

static size_t length_at(const uint8_t *data, size_t at)
{
	uint64_t length;

	memcpy(&length, data + at + 16, sizeof(length));
	return length < STATE_MAX ? (size_t)length : STATE_MAX;
}

static size_t record_ends(const uint8_t *data, size_t at)
{
	return at + HEAD + ((length_at(data, at) + 7) & ~(size_t)7);
}

static void mend(uint8_t *data, size_t size)
{
	for (size_t at = 0; at + HEAD <= size && record_ends(data, at) <= size;
	     at = record_ends(data, at)) {
		size_t length = length_at(data, at), filled = -length % 8;
		uint32_t crc = crc32c(data + at + HEAD, length);

		memcpy(data + at + 24, &crc, sizeof(crc));
		memset(data + at + 28, 0, 4);
		memset(data + at + HEAD + length, 0, filled);
	}
}

/* What stands in one record; its length stays, so that the rest stays where it is. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
	size_t at = 0, n = 0, pick;

	while (at + HEAD <= size && record_ends(data, at) <= size) {
		at = record_ends(data, at);
		n++;
	}
	if (!n || seed % 8 == 0)
		return LLVMFuzzerMutate(data, size, most);
	pick = seed / 8 % n;
	for (at = 0; pick; pick--)
		at = record_ends(data, at);
	if (length_at(data, at))
		LLVMFuzzerMutate(data + at + HEAD, length_at(data, at), length_at(data, at));
	mend(data, size);
	return size;
}

static void host_cpuid(struct cpuid *c)
{
	static struct cpuid golden;
	autobuf struct buf state = { 0 };
	struct record r;
	struct err e;
	int fd;

	if (!golden.n) {
		fd = open(GOLDEN "doze-vmm-4.state", O_RDONLY | O_CLOEXEC);
		if (fd < 0 || io_read_all(fd, &state, STATE_MAX) ||
		    record_find(&(struct rows){ state.data, state.size, 0 }, "CPUI", 0, 1, &r, &e))
			abort();
		close(fd);
		golden.n = (uint32_t)(r.size / sizeof(golden.entries[0]));
		memcpy(golden.entries, r.data, r.size);
	}
	*c = golden;
}

static void devices_save(struct board *s, struct buf *to)
{
	for (uint32_t i = 0; i < BOARD_DEVICES; i++)
		virtio_save(s->devices[i], i, to);
	vsock_save_streams(&s->vsock, to);
}

static void devices_load(struct board *s, const struct buf *from)
{
	struct rows rows = { from->data, from->size, 0 };
	struct err e;

	for (uint32_t i = 0; i < BOARD_DEVICES; i++)
		if (virtio_load(s->devices[i], i, &rows, &e))
			__builtin_trap(); /* what we say ourselves makes sense */
	if (vsock_load_streams(&s->vsock, &rows, &e))
		__builtin_trap();
}

static void devices_run(struct bare *b)
{
	struct board *s = &b->board;

	for (size_t i = 0; i < BOARD_DEVICES; i++) {
		(void)!send(b->wire, s->mem.window, 90, 0);
		virtio_resume(s->devices[i]);
		virtio_kicked(s->devices[i]);
		virtio_drain(s->devices[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree uint8_t *mended = xmalloc(size + 1);
	autobuf struct buf first = { 0 }, again = { 0 };
	static struct bare b;
	struct board *s = &b.board;
	struct err e;

	log_init("fuzz", LOG_LEVEL_ERR);
	if (size)
		memcpy(mended, data, size);
	mend(mended, size);
	memset(&b, 0, sizeof(b));
	bare_open(&b, MEMORY, GOLDEN_DISK);
	host_cpuid(&b.cpuid);
	if (!board_load(s, mended, size, &e)) {
		devices_save(s, &first);
		devices_load(s, &first);
		devices_save(s, &again);
		if (first.size != again.size || memcmp(first.data, again.data, first.size) != 0)
			__builtin_trap();
		devices_run(&b);
	}
	bare_close(&b);
	return 0;
}
