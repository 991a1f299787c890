/* A snapshot that an earlier doze-vmm made, of a guest that drove every device but the entropy
 * device (an application that had answered over vsock): this one takes it, and writes the same
 * bytes. golden/NAME.{header,state}; docs/snapshot-format.md says when there is a new one. What KVM
 * holds is looked at by its sizes alone: here is no KVM. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/kvm.h>
#include <linux/virtio_config.h>

#include "bare.h"
#include "base/io.h"
#include "machine/format.h"
#include "vmm/state.h"
#include "vmm/virtio/core.h"

#define MEMORY (128 * MIB)
#define STATE  (1 * MIB)

static struct bare bare;
static struct board *const board = &bare.board;
static struct buf header, state;

static void golden_read(const char *path, struct buf *b)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(io_read_all(fd, b, STATE), 0);
	assert_true(b->size > 0);
	close(fd);
}

/* The disk is as large as the one that the snapshot's guest had; the host has its CPU. */
static int open_board(void **none)
{
	struct record r;
	struct err e;

	(void)none;
	golden_read(GOLDEN "doze-vmm-4.header", &header);
	golden_read(GOLDEN "doze-vmm-4.state", &state);
	memset(&bare, 0, sizeof(bare));
	bare_open(&bare, MEMORY, GOLDEN_DISK);
	assert_int_equal(
		record_find(&(struct rows){ state.data, state.size, 0 }, "CPUI", 0, 1, &r, &e), 0);
	bare.cpuid.n = (uint32_t)(r.size / sizeof(bare.cpuid.entries[0]));
	memcpy(bare.cpuid.entries, r.data, r.size);
	return 0;
}

static int close_board(void **none)
{
	(void)none;
	bare_close(&bare);
	buf_free(&header);
	buf_free(&state);
	return 0;
}

static void its_header_is_read(void **none)
{
	struct format f;
	struct err e;

	(void)none;
	assert_int_equal(format_parse(header.data, header.size, &f, &e), 0);
	assert_int_equal(f.arch, FORMAT_X86_64);
	assert_int_equal(f.content, FORMAT_IMAGE);
	assert_string_equal(f.kind, "vmm");
	assert_string_equal(f.machine, "doze-vmm-4");
	assert_int_equal(f.vcpus, 1);
	assert_int_equal(f.memory_mib, MEMORY / MIB);
	assert_int_equal(f.state_bytes, state.size);
	assert_true(f.tsc_khz > 0);
}

static void assert_written_again(const char tag[5], uint32_t index, const struct buf *again)
{
	struct rows golden = { state.data, state.size, 0 }, ours = { again->data, again->size, 0 };
	struct record was, is;
	struct err e;

	assert_int_equal(record_find(&golden, tag, index, UINT32_MAX, &was, &e), 0);
	assert_int_equal(record_find(&ours, tag, index, UINT32_MAX, &is, &e), 0);
	assert_int_equal(is.version, was.version);
	assert_int_equal(is.size, was.size);
	assert_memory_equal(is.data, was.data, was.size);
}

static void its_devices_are_taken_and_written_again_byte_for_byte(void **none)
{
	struct rows rows = { state.data, state.size, 0 };
	struct err e;

	(void)none;
	assert_int_equal(record_check(state.data, state.size, &e), 0);
	for (uint32_t i = 0; i < BOARD_DEVICES; i++) {
		struct virtio_dev *dev = board->devices[i];
		autobuf struct buf again = { 0 };

		if (virtio_load(dev, i, &rows, &e))
			fail_msg("%s", e.text);
		assert_int_equal(virtio_runs(dev), false); /* it stands until it is resumed */
		assert_true(i == BOARD_RNG || dev->status & VIRTIO_CONFIG_S_DRIVER_OK);
		virtio_save(dev, i, &again);
		assert_written_again(dev->ops->tag, i, &again);
	}
}

/* The agent had said hello by then. */
static void its_streams_are_taken_and_written_again(void **none)
{
	struct rows rows = { state.data, state.size, 0 };
	autobuf struct buf again = { 0 };
	struct err e;

	(void)none;
	assert_int_equal(virtio_load(&board->vsock.dev, BOARD_VSOCK, &rows, &e), 0);
	assert_int_equal(vsock_load_streams(&board->vsock, &rows, &e), 0);
	vsock_save_streams(&board->vsock, &again);
	assert_written_again(VSOCK_OWN_TAG, 0, &again);
}

static void all_of_it_is_taken(void **none)
{
	struct err e;

	(void)none;
	if (board_load(board, state.data, state.size, &e))
		fail_msg("%s", e.text);
}

static void what_kvm_holds_has_the_sizes_of_its_structures(void **none)
{
	static const struct {
		char tag[5];
		size_t size;
	} parts[] = {
		{ "REGS", sizeof(struct kvm_regs) },
		{ "SREG", sizeof(struct kvm_sregs) },
		{ "XSAV", sizeof(struct kvm_xsave) },
		{ "XCRS", sizeof(struct kvm_xcrs) },
		{ "DBGR", sizeof(struct kvm_debugregs) },
		{ "LAPI", sizeof(struct kvm_lapic_state) },
		{ "MPST", sizeof(struct kvm_mp_state) },
		{ "EVNT", sizeof(struct kvm_vcpu_events) },
		{ "PIC0", sizeof(struct kvm_irqchip) },
		{ "PIC1", sizeof(struct kvm_irqchip) },
		{ "IOAP", sizeof(struct kvm_irqchip) },
		{ "CLCK", sizeof(struct kvm_clock_data) },
	};
	struct rows rows = { state.data, state.size, 0 };
	struct record r;
	struct err e;

	(void)none;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		assert_int_equal(record_find(&rows, parts[i].tag, 0, 1, &r, &e), 0);
		assert_int_equal(r.size, parts[i].size);
		assert_true(state_knows(parts[i].tag));
	}
	assert_int_equal(record_find(&rows, "CPUI", 0, 1, &r, &e), 0);
	assert_int_equal(r.size % sizeof(struct kvm_cpuid_entry2), 0);
	assert_int_equal(record_find(&rows, "MSRS", 0, 1, &r, &e), 0);
	assert_int_equal(r.size % sizeof(struct kvm_msr_entry), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_board, close_board)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(its_header_is_read),
		TEST(its_devices_are_taken_and_written_again_byte_for_byte),
		TEST(its_streams_are_taken_and_written_again),
		TEST(all_of_it_is_taken),
		TEST(what_kvm_holds_has_the_sizes_of_its_structures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
