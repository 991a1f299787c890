#include "priv/machine_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/proc.h"

#define MACHINE_DIR_TEXT_MAX (4 * KIB)
#define MACHINE_DIR_BACKLOG  128

static int machine_dir_open(const struct priv *p, const char *machine)
{
	autofree char *path = xasprintf("%s/%s", p->machines_dir, machine);

	return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int machine_dir_write(int dir, const char *name, const char *text, struct err *e)
{
	autoclose int fd = io_open_below(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || io_write_full(fd, text, strlen(text)))
		return err_sys(e, "write '%s' of a machine", name);
	return 0;
}

static char *machine_dir_read(int dir, const char *name)
{
	autoclose int fd = io_open_below(dir, name, O_RDONLY, 0);
	autobuf struct buf text = { 0 };

	if (fd < 0 || io_read_all(fd, &text, MACHINE_DIR_TEXT_MAX))
		return NULL;
	return xstrdup(buf_str(&text));
}

/* The socket is bound through /proc/self/fd, because our paths may be longer than a socket address.
 */
static int machine_dir_socket(int dir, const char *name, int type, gid_t gid, struct err *e)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	autoclose int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d/%s", dir, name);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof(at)) ||
	    fchownat(dir, name, 0, gid, AT_SYMLINK_NOFOLLOW) || fchmodat(dir, name, 0660, 0) ||
	    listen(fd, MACHINE_DIR_BACKLOG))
		return err_sys(e, "make the socket '%s' of a machine", name);
	return fd_steal(&fd);
}

/* Others may pass through the directory but not list it, because the proxy's socket is in it too. A
 * machine that is being built has no endpoint, so its streams belong to its owner. */
static int machine_dir_fill(struct priv *p, int dir, const struct priv_machine_item *item,
			    struct machine_dir_sockets *s, struct err *e)
{
	const struct owner *owner = &p->owners[item->owner];
	char slot[16];

	if (fchown(dir, 0, owner->gid) || fchmod(dir, 0751))
		return err_sys(e, "set the owner of a machine");
	snprintf(slot, sizeof(slot), "%u\n", item->slot);
	if (machine_dir_write(dir, "owner", owner->name, e) ||
	    machine_dir_write(dir, "slot", slot, e))
		return -1;
	s->sock = machine_dir_socket(dir, "machine.sock", SOCK_SEQPACKET, owner->gid, e);
	if (s->sock < 0)
		return -1;
	s->stream =
		machine_dir_socket(dir, "stream.sock", SOCK_STREAM,
				   item->owner == PRIV_OWNER_IMAGE ? owner->gid : p->proxy_gid, e);
	return s->stream < 0 ? -1 : 0;
}

int machine_dir_make(struct priv *p, const struct priv_machine_item *item,
		     struct machine_dir_sockets *s, struct err *e)
{
	autofree char *path = xasprintf("%s/%s", p->machines_dir, item->machine);
	autoclose int dir = -1;

	*s = (struct machine_dir_sockets){ -1, -1 };
	if (mkdir(path, 0700))
		return err_sys(e, "make '%s'", path);
	dir = machine_dir_open(p, item->machine);
	if (dir < 0)
		return err_sys(e, "open '%s'", path);
	if (!machine_dir_fill(p, dir, item, s, e))
		return 0;
	fd_close(&s->sock);
	fd_close(&s->stream);
	return -1;
}

int machine_dir_set_pid(struct priv *p, const struct priv_machine_item *item, struct err *e)
{
	autoclose int dir = machine_dir_open(p, item->machine);
	char text[64];

	snprintf(text, sizeof(text), "%d %llu\n", item->pid, (unsigned long long)item->start_time);
	return machine_dir_write(dir, "pid", text, e);
}

/* A process that got the same pid after a reboot is not in the machine's cgroup. */
static bool machine_dir_is_in_group(pid_t pid, const char *machine)
{
	autofree char *path = xasprintf("/proc/%d/cgroup", (int)pid);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	autobuf struct buf text = { 0 };

	return fd >= 0 && !io_read_all(fd, &text, MACHINE_DIR_TEXT_MAX) &&
	       strstr(buf_str(&text), machine);
}

bool machine_dir_load(struct priv *p, const char *machine, struct priv_machine_item *item)
{
	autoclose int dir = machine_dir_open(p, machine);
	autofree char *owner = dir < 0 ? NULL : machine_dir_read(dir, "owner");
	autofree char *slot = dir < 0 ? NULL : machine_dir_read(dir, "slot");
	autofree char *pid = dir < 0 ? NULL : machine_dir_read(dir, "pid");
	char *rest;

	*item = (struct priv_machine_item){ .owner = PRIV_NUM_OWNERS };
	snprintf(item->machine, sizeof(item->machine), "%s", machine);
	if (!owner || !slot || !pid)
		return false;
	item->pid = (int32_t)strtol(pid, &rest, 10);
	item->start_time = strtoull(rest, NULL, 10);
	for (uint32_t i = 0; i < PRIV_NUM_OWNERS; i++)
		if (!strcmp(owner, p->owners[i].name))
			item->owner = i;
	slot[strcspn(slot, "\n")] = '\0';
	item->slot = (uint32_t)names_number(slot, NAMES_SLOTS);
	return item->owner < PRIV_NUM_OWNERS && item->slot < NAMES_SLOTS && item->pid > 1 &&
	       item->start_time && proc_start_time(item->pid) == item->start_time &&
	       machine_dir_is_in_group(item->pid, machine);
}

void machine_dir_remove(struct priv *p, const char *machine)
{
	autoclose int dir = open(p->machines_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = dir < 0 ? -errno : io_remove_tree(dir, machine);

	if (rc)
		log_warn("a directory stays behind path=%s/%s: %s", p->machines_dir, machine,
			 strerror(-rc));
}
