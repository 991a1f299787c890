#include "qemu/args.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "ipc/agent.h"

/* No timer of the board works without an interrupt route, so the kernel uses the TSC, whose rate it
 * is told.  A software CPU does not speculate, so mitigations would only cost time.  A small table
 * of TCP connections is walked in a third of the time at each resume.  A panic or reboot ends QEMU
 * (-no-reboot). */
#define KERNEL_WORDS                                                                     \
	"console=ttyS0 quiet reboot=t panic=-1 tsc=reliable cryptomgr.notests "          \
	"mitigations=off nokaslr lsm=landlock audit=0 psi=0 nowatchdog init_on_alloc=0 " \
	"hardened_usercopy=off transparent_hugepage=never thash_entries=1024 "           \
	"tsc_early_khz=%llu"

/* erms and fsrm are off, because rep movs/stos would be emulated byte by byte. */
static const char *const args_always[] = {
	"-nodefaults",
	"-no-user-config",
	"-no-reboot",
	"-display",
	"none",
	"-S",
	"-machine",
	"microvm,pit=off,pic=off,memory-backend=ram,mem-merge=off,suppress-vmdesc=on",
	"-cpu",
	"max,erms=off,fsrm=off",
	"-global",
	"virtio-mmio.force-legacy=false",
	"-sandbox",
	"on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
	"-mon",
	"chardev=qmp,mode=control",
};

static void argv_add(struct argv *v, const char *fmt, ...) printf_like(2, 3);
static void argv_add(struct argv *v, const char *fmt, ...)
{
	va_list ap;
	int n;

	assert(v->n < ARGV_MAX - 1);
	va_start(ap, fmt);
	n = vasprintf(&v->at[v->n], fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	v->at[++v->n] = NULL;
}

void argv_free(struct argv *v)
{
	for (size_t i = 0; i < v->n; i++)
		free(v->at[i]);
	v->n = 0;
}

static void args_fd(struct argv *v, int fd)
{
	argv_add(v, "-add-fd");
	argv_add(v, "fd=%d,set=%d", fd, fd);
}

/* QEMU ignores the guest's flushes.  A running microVM does not outlive its host anyway, and SAVE
 * syncs the file itself. */
static void args_disk(struct argv *v, const char *node, const char *driver, int fd, bool writable,
		      const char *backing)
{
	args_fd(v, fd);
	argv_add(v, "-blockdev");
	argv_add(v,
		 "{\"driver\":\"%s\",\"node-name\":\"%s\",\"read-only\":%s,\"discard\":\"unmap\","
		 "%s%s%s"
		 "\"file\":{\"driver\":\"file\",\"filename\":\"/dev/fdset/%d\",\"read-only\":%s,"
		 "\"discard\":\"unmap\",\"cache\":{\"no-flush\":true},\"locking\":\"off\"}}",
		 driver, node, writable ? "false" : "true", backing ? "\"backing\":\"" : "",
		 backing ? backing : "", backing ? "\"," : "", fd, writable ? "false" : "true");
}

static void args_disks(struct argv *v, const struct qemu_args *a)
{
	const char *below = NODE_ROOT;

	args_disk(v, NODE_ROOT, "raw", a->root, false, NULL);
	if (a->disk >= 0) {
		args_disk(v, NODE_DISK, "qcow2", a->disk, false, below);
		below = NODE_DISK;
	}
	if (a->save >= 0) {
		args_disk(v, NODE_SAVE, "qcow2", a->save, false, below);
		below = NODE_SAVE;
	}
	args_disk(v, NODE_OVERLAY, "qcow2", a->overlay, true, below);
	argv_add(v, "-device");
	argv_add(v,
		 "virtio-blk-device,drive=%s,discard=on,write-zeroes=on,"
		 "werror=report,rerror=report",
		 NODE_OVERLAY);
}

static void args_memory(struct argv *v, const struct qemu_args *a)
{
	argv_add(v, "-smp");
	argv_add(v, "%u", a->shape.vcpus);
	argv_add(v, "-m");
	argv_add(v, "%u", a->shape.memory_mib);
	argv_add(v, "-object");
	argv_add(v, "memory-backend-file,id=ram,size=%uM,mem-path=/proc/self/fd/%d,share=%s",
		 a->shape.memory_mib, a->memory, a->kernel >= 0 ? "on" : "off");
	argv_add(v, "-accel");
	argv_add(v, "tcg,tb-size=%d", QEMU_TB_MIB);
}

static void args_devices(struct argv *v, const struct qemu_args *a)
{
	argv_add(v, "-chardev");
	argv_add(v, "socket,id=qmp,fd=%d", a->qmp);
	argv_add(v, "-chardev");
	if (a->console >= 0)
		argv_add(v, "socket,id=console,fd=%d", a->console);
	else
		argv_add(v, "null,id=console");
	argv_add(v, "-serial");
	argv_add(v, "chardev:console");
	args_disks(v, a);
	argv_add(v, "-netdev");
	argv_add(v, "tap,id=net,fd=%d", a->tap);
	argv_add(v, "-device");
	argv_add(v, "virtio-net-device,netdev=net,mac=%s,guest_announce=off", SLOT_GUEST_MAC);
	argv_add(v, "-device");
	argv_add(v, "virtio-serial-device,max_ports=2");
	argv_add(v, "-chardev");
	argv_add(v, "socket,id=agent,fd=%d", a->agent);
	argv_add(v, "-device");
	argv_add(v, "virtserialport,chardev=agent,name=%s", AGENT_PORT_NAME);
}

/* The output of xen-save-devices-state has no section for the configuration. */
static void args_source(struct argv *v, const struct qemu_args *a)
{
	if (a->kernel < 0) {
		argv_add(v, "-incoming");
		argv_add(v, "defer");
		argv_add(v, "-global");
		argv_add(v, "migration.send-configuration=off");
		return;
	}
	argv_add(v, "-kernel");
	argv_add(v, "/proc/self/fd/%d", a->kernel);
	argv_add(v, "-initrd");
	argv_add(v, "/proc/self/fd/%d", a->initrd);
	argv_add(v, "-append");
	argv_add(v, KERNEL_WORDS, (unsigned long long)a->tsc_khz);
}

void args_build(struct argv *v, const struct qemu_args *a)
{
	*v = (struct argv){ 0 };
	argv_add(v, "%s", a->qemu);
	for (size_t i = 0; i < ARRAY_SIZE(args_always); i++)
		argv_add(v, "%s", args_always[i]);
	args_memory(v, a);
	args_devices(v, a);
	args_source(v, a);
}
