#include "priv/slotmake.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "ipc/agent.h"
#include "priv/netlink.h"
#include "priv/nft.h"

#include <arpa/inet.h>

#define SLOT_TAP      "tap0"
#define SLOT_VNET_HDR 12

static const uint8_t slot_tap_mac[6] = { 0x02, 0xd0, 0x2e, 0x00, 0x00, 0x02 };

/* This sets it in the caller's network namespace, which is the one that /proc/sys/net shows. */
static int slot_sysctl(const char *dir, const char *name, const char *value, struct err *e)
{
	autofree char *path = xasprintf("/proc/sys/net/%s/%s", dir, name);
	autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);
	int rc = fd < 0 ? -errno : io_write_full(fd, value, strlen(value));

	errno = -rc;
	return rc && rc != -ENOENT ? err_sys(e, "set %s", path) : 0; /* absent: no IPv6 */
}

static int slot_netns(const char *path, struct err *e)
{
	autoclose int file = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (file < 0)
		return err_sys(e, "create '%s'", path);
	if (unshare(CLONE_NEWNET))
		return err_sys(e, "make a network namespace");
	if (mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL))
		return err_sys(e, "bind '%s'", path);
	return 0;
}

int slot_open_tap(struct err *e)
{
	struct ifreq ifr = { .ifr_name = SLOT_TAP };
	autoclose int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	int size = SLOT_VNET_HDR;

	if (fd < 0)
		return err_sys(e, "open /dev/net/tun");
	ifr.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	if (ioctl(fd, TUNSETIFF, &ifr))
		return err_sys(e, "open the tap of a slot");
	/* The offloads of the slot's last machine may be unknown to the next one. */
	if (ioctl(fd, TUNSETVNETHDRSZ, &size) || ioctl(fd, TUNSETOFFLOAD, 0UL))
		return err_sys(e, "set the header size of a tap");
	return fd_steal(&fd);
}

static int slot_tap(struct err *e)
{
	autoclose int fd = slot_open_tap(e);

	if (fd < 0)
		return -1;
	return ioctl(fd, TUNSETPERSIST, 1) ? err_sys(e, "keep a tap") : 0;
}

static uint32_t slot_ip(const char *text)
{
	struct in_addr in = { 0 };

	inet_pton(AF_INET, text, &in);
	return ntohl(in.s_addr);
}

/* Sets up the end in the slot. The calling process is in the slot's namespace. */
static int slot_inside(struct mnl_socket *nl, const struct slot_plan *p, struct err *e)
{
	static const uint8_t mac[6] = SLOT_GUEST_MAC_BYTES;
	int rc = nl_link_set(nl, "lo", true);

	rc = rc ? rc : nl_link_mac(nl, SLOT_TAP, slot_tap_mac);
	rc = rc ? rc : nl_link_set(nl, SLOT_TAP, true);
	rc = rc ? rc : nl_address(nl, SLOT_TAP, slot_ip(SLOT_GATEWAY_IP), SLOT_PREFIX);
	rc = rc ? rc : nl_neighbour(nl, SLOT_TAP, slot_ip(SLOT_GUEST_IP), mac);
	rc = rc ? rc : nl_link_set(nl, "eth0", true);
	rc = rc ? rc : nl_address(nl, "eth0", names_slot_ip(p->names, p->slot), 30);
	rc = rc ? rc : nl_default_route(nl, names_host_ip(p->names, p->slot));
	rc = rc ? rc : nl_block(nl, slot_ip(SLOT_API_IP), true);
	errno = -rc;
	return rc ? err_sys(e, "set the inside of slot %u", p->slot) : 0;
}

static int slot_outside(struct mnl_socket *nl, const struct slot_plan *p, struct err *e)
{
	char link[IFNAMSIZ];
	int rc;

	names_link(p->names, p->slot, link);
	rc = nl_address(nl, link, names_host_ip(p->names, p->slot), 30);
	rc = rc ? rc : nl_link_set(nl, link, true);
	errno = -rc;
	return rc ? err_sys(e, "set '%s' up", link) : 0;
}

/* Makes the pair and sets up the host's end, while the process is still in the host's namespace. */
static int slot_pair(struct mnl_socket *host, const struct slot_plan *p, int netns, struct err *e)
{
	autofree char *dir4 = NULL, *dir6 = NULL;
	char link[IFNAMSIZ];
	int rc;

	names_link(p->names, p->slot, link);
	rc = nl_veth(host, link, "eth0", netns);
	errno = -rc;
	if (rc)
		return err_sys(e, "make the pair '%s'", link);
	dir4 = xasprintf("ipv4/conf/%s", link);
	dir6 = xasprintf("ipv6/conf/%s", link);
	if (slot_sysctl(dir4, "rp_filter", "1", e) ||
	    slot_sysctl(dir4, "accept_redirects", "0", e) ||
	    slot_sysctl(dir6, "disable_ipv6", "1", e))
		return -1;
	return 0;
}

static int slot_make_all(const struct slot_plan *p, struct err *e)
{
	autoclose int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), netns = -1;
	struct mnl_socket *host = nl_open(), *inside;

	if (home < 0 || !host)
		return err_sys(e, "open netlink");
	if (slot_netns(p->netns_path, e) || slot_sysctl("ipv6/conf/all", "disable_ipv6", "1", e) ||
	    slot_sysctl("ipv6/conf/default", "disable_ipv6", "1", e) ||
	    slot_sysctl("ipv4", "ip_forward", "1", e) || slot_tap(e))
		return -1;
	netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	inside = nl_open();
	if (netns < 0 || !inside)
		return err_sys(e, "open netlink in slot %u", p->slot);
	if (setns(home, CLONE_NEWNET))
		return err_sys(e, "go back to the host's network");
	if (slot_pair(host, p, netns, e) || slot_inside(inside, p, e) || slot_outside(host, p, e))
		return -1;
	if (setns(netns, CLONE_NEWNET))
		return err_sys(e, "enter slot %u", p->slot);
	return 0;
}

int slot_make(void *plan)
{
	struct err e;

	if (!slot_make_all(plan, &e))
		nft_exec(nft_slot_text);
	else
		log_err("cannot make a network slot: %s", e.text);
	return 1;
}

void slot_unmake(const char *netns_path)
{
	umount2(netns_path, MNT_DETACH | UMOUNT_NOFOLLOW);
	unlink(netns_path);
}
