#include "guest/boot.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/io.h"
#include "guest/sysctl.h"
#include "ipc/agent.h"

static struct sockaddr link_address(const char *text)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr any;

	if (text)
		inet_pton(AF_INET, text, &in.sin_addr);
	else
		in.sin_addr.s_addr = htonl(~0u << (32 - SLOT_PREFIX)); /* the netmask */
	memcpy(&any, &in, sizeof(any));
	return any;
}

static int link_ioctl(int sock, const char *name, unsigned long what, const char *address,
		      struct err *e)
{
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (what == SIOCSIFFLAGS)
		request.ifr_flags = IFF_UP | IFF_RUNNING;
	else
		request.ifr_addr = link_address(address);
	if (ioctl(sock, what, &request))
		return err_sys(e, "configure '%s'", name);
	return 0;
}

static int link_default_route(int sock, struct err *e)
{
	struct rtentry route = {
		.rt_dst = { .sa_family = AF_INET },
		.rt_genmask = { .sa_family = AF_INET },
		.rt_gateway = link_address(SLOT_GATEWAY_IP),
		.rt_flags = RTF_UP | RTF_GATEWAY,
	};

	return ioctl(sock, SIOCADDRT, &route) ? err_sys(e, "set the default route") : 0;
}

static const struct {
	const char *name, *value;
} link_settings[] = {
	/* The slot has only IPv4.  Without IPv6 there is no address detection, no router
	 * solicitation and none of their timers. */
	{ "net/ipv6/conf/eth0/disable_ipv6", "1" },
	/* Docker's containers may do both without any capability: listen on port 80, and ping. */
	{ "net/ipv4/ip_unprivileged_port_start", "0" },
	{ "net/ipv4/ping_group_range", "0 2147483647" },
};

int boot_link(struct err *e)
{
	autoclose int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sock < 0)
		return err_sys(e, "make a socket");
	for (size_t i = 0; i < ARRAY_SIZE(link_settings); i++)
		if (sysctl_set(link_settings[i].name, link_settings[i].value, e))
			return -1;
	if (link_ioctl(sock, "lo", SIOCSIFFLAGS, NULL, e) ||
	    link_ioctl(sock, "eth0", SIOCSIFADDR, SLOT_GUEST_IP, e) ||
	    link_ioctl(sock, "eth0", SIOCSIFNETMASK, NULL, e) ||
	    link_ioctl(sock, "eth0", SIOCSIFFLAGS, NULL, e))
		return -1;
	return link_default_route(sock, e);
}
