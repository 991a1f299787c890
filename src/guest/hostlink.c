#include "guest/hostlink.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_ids.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "guest/boot.h"
#include "ipc/agent.h"

#define HOST_BUS   "/sys/bus/virtio/devices"
#define HOST_PORTS "/sys/class/virtio-ports"

/* Read the first line of a small file. */
static bool hostlink_line(const char *path, char *line, size_t size)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, line, size - 1);

	if (n <= 0)
		return false;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return true;
}

static bool hostlink_has_device(unsigned long id)
{
	DIR *bus = opendir(HOST_BUS);
	bool found = false;
	struct dirent *entry;

	while (bus && !found && (entry = readdir(bus))) {
		char path[512], text[16];

		snprintf(path, sizeof(path), HOST_BUS "/%s/device", entry->d_name);
		found = hostlink_line(path, text, sizeof(text)) && strtoul(text, NULL, 16) == id;
	}
	if (bus)
		closedir(bus);
	return found;
}

/* doze-qemu */

static bool hostlink_port_named(const char *port)
{
	char path[512], name[64];

	snprintf(path, sizeof(path), HOST_PORTS "/%s/name", port);
	return hostlink_line(path, name, sizeof(name)) && !strcmp(name, AGENT_PORT_NAME);
}

static int hostlink_port_attempt(struct err *e)
{
	DIR *ports = opendir(HOST_PORTS);
	struct dirent *entry;
	int fd = -1;

	errno = ENODEV;
	while (ports && fd < 0 && (entry = readdir(ports))) {
		char path[512];

		if (!hostlink_port_named(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	}
	if (fd < 0)
		err_sys(e, "open the port '%s'", AGENT_PORT_NAME);
	if (ports)
		closedir(ports);
	return fd;
}

static int hostlink_listen_tcp(struct err *e)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(AGENT_STREAM_PORT),
		.sin_addr.s_addr = inet_addr(SLOT_GUEST_IP),
	};
	autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) || /* inherited */
	    bind(fd, (struct sockaddr *)(void *)&at, sizeof(at)) || listen(fd, HOSTLINK_STREAMS))
		return err_sys(e, "listen on " SLOT_GUEST_IP);
	return fd_steal(&fd);
}

/* Only the slot's gateway is the host, not the application or another machine. */
static bool hostlink_is_gateway(const struct sockaddr_storage *peer)
{
	struct sockaddr_in in;

	memcpy(&in, peer, sizeof(in));
	return in.sin_family == AF_INET && in.sin_addr.s_addr == inet_addr(SLOT_GATEWAY_IP);
}

static int hostlink_open_qemu(struct hostlink *h, struct err *e)
{
	if (boot_modules("qemu", e))
		return -1;
	h->is_host = hostlink_is_gateway;
	h->port = boot_await(hostlink_port_attempt, e);
	h->streams = h->port < 0 ? -1 : hostlink_listen_tcp(e);
	return h->streams < 0 ? -1 : 0;
}

/* doze-vmm */

static int hostlink_socket_vsock(const struct sockaddr_vm *at,
				 int (*use)(int fd, const struct sockaddr *at, socklen_t size),
				 const char *what, struct err *e)
{
	autoclose int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || use(fd, (const struct sockaddr *)(const void *)at, sizeof(*at)) ||
	    io_nonblock(fd))
		return err_sys(e, "%s by vsock", what);
	return fd_steal(&fd);
}

static int hostlink_bind(int fd, const struct sockaddr *at, socklen_t size)
{
	return bind(fd, at, size) || listen(fd, HOSTLINK_STREAMS) ? -1 : 0;
}

/* The application could connect to its own machine, and is not the host. */
static bool hostlink_is_cid(const struct sockaddr_storage *peer)
{
	struct sockaddr_vm vm;

	memcpy(&vm, peer, sizeof(vm));
	return vm.svm_family == AF_VSOCK && vm.svm_cid == VMADDR_CID_HOST;
}

static int hostlink_open_vmm(struct hostlink *h, struct err *e)
{
	const struct sockaddr_vm host = { .svm_family = AF_VSOCK,
					  .svm_cid = VMADDR_CID_HOST,
					  .svm_port = AGENT_HOST_PORT };
	const struct sockaddr_vm any = { .svm_family = AF_VSOCK,
					 .svm_cid = VMADDR_CID_ANY,
					 .svm_port = AGENT_STREAM_PORT };

	if (boot_modules("vmm", e))
		return -1;
	h->is_host = hostlink_is_cid;
	h->streams = hostlink_socket_vsock(&any, hostlink_bind, "listen for the host", e);
	if (h->streams < 0)
		return -1;
	h->port = hostlink_socket_vsock(&host, connect, "reach the host", e);
	return h->port < 0 ? -1 : 0;
}

int hostlink_open(struct hostlink *h, struct err *e)
{
	return hostlink_has_device(VIRTIO_ID_VSOCK) ? hostlink_open_vmm(h, e)
						    : hostlink_open_qemu(h, e);
}
