#include "vmm/board.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "ipc/agent.h"
#include "vmm/jail.h"
#include "vmm/life.h"
#include "vmm/state.h"
#include "vmm/virtio/core.h"

#define BOARD_LEAST_MIB 64
#define BOARD_MAX_MIB   (1024 * 1024)
#define BOARD_VERSION   1 /* of the records of the board's own devices */

static struct board *board_of(struct vm *vm)
{
	return container_of(vm, struct board, vm);
}

static void board_lock(struct vm *vm)
{
	pthread_mutex_lock(&board_of(vm)->lock);
}

static void board_unlock(struct vm *vm)
{
	pthread_mutex_unlock(&board_of(vm)->lock);
}

/* A thread that cannot be confined must not run a guest. */
static void board_confine(struct vm *vm)
{
	int rc = jail_vcpu();

	if (rc)
		vm_end(vm, "a vCPU's system calls cannot be filtered: %s", strerror(-rc));
}

static void board_ended(struct vm *vm, const char *why)
{
	struct board *s = board_of(vm);

	s->ended(s, why);
}

static const struct vm_ops board_vm_ops = {
	.lock = board_lock,
	.unlock = board_unlock,
	.lockless = mmio_is_lockless,
	.confine = board_confine,
	.ended = board_ended,
};

static void board_off(struct power *p, const char *why)
{
	vm_end(&container_of(p, struct board, power)->vm, "%s", why);
}

/* While the loop sleeps, vCPUs may use the devices. */
static void board_sleep(void *arg)
{
	pthread_mutex_unlock(&((struct board *)arg)->lock);
}

static void board_wake(void *arg)
{
	pthread_mutex_lock(&((struct board *)arg)->lock);
}

/* In a jail standard output is /dev/null, so the console need not be written. */
static void board_console(struct serial *s, const char *bytes, size_t size)
{
	(void)s;
	(void)!write(STDOUT_FILENO, bytes, size);
}

static bool board_is_heard(void)
{
	struct stat st;

	return !fstat(STDOUT_FILENO, &st) && !(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
}

static int board_proc(struct board *s, struct err *e)
{
	int proc = MACHINE_FD_PROC;

	s->pagemap_fd = openat(proc, "self/pagemap", O_RDONLY | O_CLOEXEC);
	s->smaps_fd = openat(proc, "self/smaps_rollup", O_RDONLY | O_CLOEXEC);
	if (s->pagemap_fd < 0 || s->smaps_fd < 0)
		return err_sys(e, "open the page map of this process");
	fd_close(&proc);
	return 0;
}

/* Otherwise a guest that took over the disk thread could use other files. */
static void board_confine_disk(void)
{
	int rc = jail_disk();

	assert(!rc);
}

static int board_attach(struct board *s, enum board_device slot, struct virtio_dev *dev,
			struct err *e)
{
	struct mmio *m = &s->registers[slot];
	uint64_t notify = MMIO_BASE + slot * MMIO_SIZE + MMIO_NOTIFY;

	s->devices[slot] = dev;
	if (mmio_init(m, dev, slot, &s->mmio, e) ||
	    vm_irqfd(&s->vm, dev->irq_fd, ARCH_VIRTIO_IRQ + slot, e))
		return -1;
	return vm_ioeventfd(&s->vm, m->kick_fd, notify, e);
}

static int board_wire_virtio(struct board *s, struct err *e)
{
	vmm_agent_init(&s->agent);
	if (blk_init(&s->blk, s->loop, &s->mem, board_confine_disk, e) ||
	    board_attach(s, BOARD_BLK, &s->blk.dev, e) || rng_init(&s->rng, s->loop, &s->mem, e) ||
	    board_attach(s, BOARD_RNG, &s->rng.dev, e) ||
	    net_init(&s->net, s->loop, &s->mem, MACHINE_FD_TAP, e) ||
	    board_attach(s, BOARD_NET, &s->net.dev, e) ||
	    vsock_init(&s->vsock, s->loop, &s->mem, AGENT_HOST_PORT, &s->agent.conn, &vmm_agent_ops,
		       e) ||
	    board_attach(s, BOARD_VSOCK, &s->vsock.dev, e) ||
	    balloon_init(&s->balloon, s->loop, &s->mem, e) ||
	    board_attach(s, BOARD_BALLOON, &s->balloon.dev, e))
		return -1;
	return streams_open(&s->streams, s->loop, &s->vsock, MACHINE_FD_STREAM, e);
}

/* The board (docs/vmm.md).  Boot and restore share one list. */
static int board_wire(struct board *s, struct err *e)
{
	power_init(&s->power, &s->pio, board_off);
	if (serial_open(&s->serial, &s->pio, e) || genid_open(&s->genid, e) ||
	    vm_irqfd(&s->vm, s->serial.irq_fd, SERIAL_IRQ, e) ||
	    vm_irqfd(&s->vm, s->genid.irq_fd, GENID_IRQ, e))
		return -1;
	s->serial.put = board_is_heard() ? board_console : NULL;
	s->serial.said = &s->console;
	return board_wire_virtio(s, e);
}

static int board_check_shape(const struct machine_shape *shape, struct err *e)
{
	if (shape->memory_mib < BOARD_LEAST_MIB || shape->memory_mib > BOARD_MAX_MIB)
		return err_set(e, ERR_INVALID, "a machine has %d to %d MiB of memory, not %u",
			       BOARD_LEAST_MIB, BOARD_MAX_MIB, shape->memory_mib);
	return 0;
}

int board_open(struct board *s, struct loop *l, const struct machine_shape *shape,
	       void (*ended)(struct board *s, const char *why), struct err *e)
{
	s->loop = l;
	s->shape = *shape;
	s->ended = ended;
	s->pagemap_fd = s->smaps_fd = -1;
	s->vm.fd = s->vm.end_fd = s->serial.irq_fd = s->genid.irq_fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_lock(&s->lock);
	loop_guard(l, board_sleep, board_wake, s);
	if (board_check_shape(shape, e) || board_proc(s, e) || jail_prepare(e) ||
	    mem_reserve(&s->mem, shape->memory_mib * MIB, e) ||
	    vm_open(&s->vm, &board_vm_ops, MACHINE_FD_KVM, &s->mem, shape->vcpus, e) ||
	    board_wire(s, e) || vm_start(&s->vm, &s->mmio, &s->pio, l, e))
		return -1;
	return jail_loop(e);
}

void board_memory(const struct board *s, struct machine_stats *to)
{
	const struct {
		const char *name;
		uint64_t *sum;
	} rows[] = { { "\nPss:", &to->proportional_bytes },
		     { "\nPrivate_Clean:", &to->private_bytes },
		     { "\nPrivate_Dirty:", &to->private_bytes } };
	char text[4096];
	ssize_t n = pread(s->smaps_fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *at = strstr(text, rows[i].name);

		if (at)
			*rows[i].sum += strtoull(at + strlen(rows[i].name), NULL, 10) * KIB;
	}
}

void board_pause(struct board *s)
{
	vm_pause(&s->vm);
	for (size_t i = 0; i < BOARD_DEVICES; i++)
		virtio_drain(s->devices[i]);
}

void board_resume(struct board *s)
{
	for (size_t i = 0; i < BOARD_DEVICES; i++)
		virtio_resume(s->devices[i]);
	vm_resume(&s->vm);
}

int board_disk(struct board *s, int root, const int *layers, unsigned n, struct err *e)
{
	if (cow_open(&s->disk, root, layers, n, e))
		return -1;
	blk_attach(&s->blk, &s->disk);
	return 0;
}

/* Of three layers the second is the old save, which is deleted when this one is durable. */
int board_settle_disk(struct board *s, uint64_t *bytes, struct err *e)
{
	struct disk_delta *top = &s->disk.layer[0];
	struct stat st;
	int rc = 0;

	if (s->disk.n_layers == COW_LAYERS)
		rc = cow_copy_present(&s->disk.layer[1], top);
	rc = rc ? rc : cow_sync(&s->disk);
	errno = -rc;
	if (rc || fstat(top->fd, &st))
		return err_sys(e, "bring the guest's disk to disk");
	*bytes = (uint64_t)st.st_blocks * 512;
	return 0;
}

/* The board's devices that have a state, each as one record. */
static const struct {
	char tag[5];
	size_t offset;
	const struct snap_field *fields;
} board_records[] = {
	{ "SERL", offsetof(struct board, serial), serial_saved },
	{ "POWR", offsetof(struct board, power), power_saved },
};

int board_save(struct board *s, struct buf *to, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(board_records); i++) {
		size_t mark = record_begin(to, board_records[i].tag, 0, BOARD_VERSION);

		snap_put(to, board_records[i].fields, (uint8_t *)s + board_records[i].offset);
		record_end(to, mark);
	}
	for (uint32_t i = 0; i < BOARD_DEVICES; i++)
		virtio_save(s->devices[i], i, to);
	vsock_save_streams(&s->vsock, to);
	return state_save(&s->vm, to, e);
}

static bool board_knows(const struct board *s, const char tag[5])
{
	for (size_t i = 0; i < BOARD_DEVICES; i++)
		if (!memcmp(s->devices[i]->ops->tag, tag, 4))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(board_records); i++)
		if (!memcmp(board_records[i].tag, tag, 4))
			return true;
	return !memcmp(VSOCK_OWN_TAG, tag, 4) || !memcmp(VSOCK_STREAMS_TAG, tag, 4) ||
	       state_knows(tag);
}

/* All records that doze-vmm writes are mandatory, so an unknown one belongs to a device that this
 * board lacks. */
static int board_check_records(const struct board *s, const struct rows *rows, struct err *e)
{
	struct record r;

	if (record_check(rows->data, rows->size, e))
		return -1;
	for (size_t at = 0; record_next(rows->data, rows->size, &at, &r);)
		if (!board_knows(s, r.tag))
			return err_set(e, ERR_INVALID,
				       "the snapshot needs its record %s, which this program does "
				       "not know",
				       r.tag);
	return 0;
}

int board_load(struct board *s, const uint8_t *data, size_t size, struct err *e)
{
	struct rows all = { data, size, 0 }, *rows = &all;

	if (board_check_records(s, rows, e))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(board_records); i++) {
		struct record r;

		if (record_find(rows, board_records[i].tag, 0, BOARD_VERSION, &r, e) ||
		    snap_get(r.data, r.size, board_records[i].fields,
			     (uint8_t *)s + board_records[i].offset, e))
			return -1;
	}
	for (uint32_t i = 0; i < BOARD_DEVICES; i++)
		if (virtio_load(s->devices[i], i, rows, e))
			return -1;
	if (vsock_load_streams(&s->vsock, rows, e) || state_load(&s->vm, rows, e))
		return -1;
	serial_loaded(&s->serial);
	return 0;
}
