/* The network device under a hostile guest, and a wire on which something comes all the time. */

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest.h"
#include "vmm/dev/net.h"
#include "vmm/virtio/core.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int wire;
static unsigned packets;

static void go_on(struct virtio_dev *dev)
{
	static uint8_t packet[9000];
	struct net *n = container_of(dev, struct net, dev);

	(void)!recv(wire, packet, sizeof(packet), 0);
	(void)!send(wire, packet, packets++ % 4 ? 90 : sizeof(packet), 0);
	n->readable = true;
	virtio_kick(dev, 0);
	if (n->n_held > NET_HELD || n->n_segs > NET_SEGS || (!n->n_held && n->room))
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct net net;
	struct guest g;
	struct err e;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair))
		return 0;
	wire = pair[1];
	packets = 0;
	memset(&net, 0, sizeof(net));
	guest_open(&g);
	if (net_init(&net, NULL, &g.mem, pair[0], &e))
		__builtin_trap();
	guest_play(&g, &net.dev, data, size, go_on);
	guest_close(&g);
	net_close(&net);
	close(pair[0]);
	close(pair[1]);
	return 0;
}
