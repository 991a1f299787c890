#include "priv/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>

#define NL_ROOM 1024

struct mnl_socket *nl_open(void)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	if (nl && mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		mnl_socket_close(nl);
		return NULL;
	}
	return nl;
}

void nl_close(struct mnl_socket *nl)
{
	if (nl)
		mnl_socket_close(nl);
}

static int nl_ask(struct mnl_socket *nl, struct nlmsghdr *h)
{
	static uint32_t seq;
	_Alignas(8) char answer[8192];
	ssize_t n;
	int rc;

	h->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	h->nlmsg_seq = ++seq;
	if (mnl_socket_sendto(nl, h, h->nlmsg_len) < 0)
		return -errno;
	do {
		n = mnl_socket_recvfrom(nl, answer, sizeof(answer));
		if (n < 0)
			return -errno;
		rc = mnl_cb_run(answer, (size_t)n, h->nlmsg_seq, mnl_socket_get_portid(nl), NULL,
				NULL);
	} while (rc > 0);
	return rc < 0 ? -errno : 0;
}

static struct ifinfomsg *nl_link(struct nlmsghdr *h, const char *name)
{
	struct ifinfomsg *link = mnl_nlmsg_put_extra_header(h, sizeof(*link));

	link->ifi_family = AF_UNSPEC;
	if (name)
		mnl_attr_put_strz(h, IFLA_IFNAME, name);
	return link;
}

int nl_veth(struct mnl_socket *nl, const char *name, const char *peer_name, int peer_netns)
{
	_Alignas(8) char room[NL_ROOM];
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	struct nlattr *info, *data, *peer;

	h->nlmsg_type = RTM_NEWLINK;
	h->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	nl_link(h, name);
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(h, VETH_INFO_PEER);
	nl_link(h, peer_name);
	mnl_attr_put_u32(h, IFLA_NET_NS_FD, (uint32_t)peer_netns);
	mnl_attr_nest_end(h, peer);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
	return nl_ask(nl, h);
}

int nl_link_set(struct mnl_socket *nl, const char *name, bool up)
{
	_Alignas(8) char room[NL_ROOM];
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	struct ifinfomsg *link;

	h->nlmsg_type = RTM_NEWLINK;
	link = nl_link(h, name);
	link->ifi_change = IFF_UP;
	link->ifi_flags = up ? IFF_UP : 0;
	return nl_ask(nl, h);
}

int nl_link_mac(struct mnl_socket *nl, const char *name, const uint8_t mac[6])
{
	_Alignas(8) char room[NL_ROOM];
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);

	h->nlmsg_type = RTM_NEWLINK;
	nl_link(h, name);
	mnl_attr_put(h, IFLA_ADDRESS, 6, mac);
	return nl_ask(nl, h);
}

int nl_link_remove(struct mnl_socket *nl, const char *name)
{
	_Alignas(8) char room[NL_ROOM];
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);

	h->nlmsg_type = RTM_DELLINK;
	nl_link(h, name);
	return nl_ask(nl, h);
}

/* A request carries an index, which is looked up by name in the caller's namespace. */
static int nl_index(struct mnl_socket *nl, const char *name)
{
	_Alignas(8) char room[NL_ROOM], answer[8192];
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	const struct nlmsghdr *got = (const void *)answer;
	const struct ifinfomsg *link;
	ssize_t n;

	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = NLM_F_REQUEST;
	nl_link(h, name);
	if (mnl_socket_sendto(nl, h, h->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(nl, answer, sizeof(answer));
	if (n < 0)
		return -errno;
	if (!mnl_nlmsg_ok(got, (int)n) || got->nlmsg_type != RTM_NEWLINK)
		return -ENODEV;
	link = mnl_nlmsg_get_payload(got);
	return link->ifi_index;
}

static int nl_address_do(struct mnl_socket *nl, const char *name, uint32_t ip, uint8_t prefix,
			 bool add)
{
	_Alignas(8) char room[NL_ROOM];
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	struct ifaddrmsg *address;
	int index = nl_index(nl, name);

	if (index < 0)
		return index;
	h->nlmsg_type = add ? RTM_NEWADDR : RTM_DELADDR;
	h->nlmsg_flags = add ? NLM_F_CREATE | NLM_F_EXCL : 0;
	address = mnl_nlmsg_put_extra_header(h, sizeof(*address));
	address->ifa_family = AF_INET;
	address->ifa_prefixlen = prefix;
	address->ifa_index = (uint32_t)index;
	mnl_attr_put_u32(h, IFA_LOCAL, htonl(ip));
	mnl_attr_put_u32(h, IFA_ADDRESS, htonl(ip));
	return nl_ask(nl, h);
}

int nl_address(struct mnl_socket *nl, const char *name, uint32_t ip, uint8_t prefix)
{
	return nl_address_do(nl, name, ip, prefix, true);
}

int nl_address_remove(struct mnl_socket *nl, const char *name, uint32_t ip, uint8_t prefix)
{
	return nl_address_do(nl, name, ip, prefix, false);
}

int nl_block(struct mnl_socket *nl, uint32_t ip, bool block)
{
	_Alignas(8) char room[NL_ROOM];
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	struct rtmsg *route;

	h->nlmsg_type = block ? RTM_NEWROUTE : RTM_DELROUTE;
	h->nlmsg_flags = block ? NLM_F_CREATE | NLM_F_REPLACE : 0;
	route = mnl_nlmsg_put_extra_header(h, sizeof(*route));
	route->rtm_family = AF_INET;
	route->rtm_dst_len = 32;
	route->rtm_table = RT_TABLE_MAIN;
	route->rtm_protocol = RTPROT_STATIC;
	route->rtm_scope = RT_SCOPE_UNIVERSE;
	route->rtm_type = RTN_UNREACHABLE;
	mnl_attr_put_u32(h, RTA_DST, htonl(ip));
	return nl_ask(nl, h);
}

int nl_default_route(struct mnl_socket *nl, uint32_t gateway)
{
	_Alignas(8) char room[NL_ROOM];
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	struct rtmsg *route;

	h->nlmsg_type = RTM_NEWROUTE;
	h->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	route = mnl_nlmsg_put_extra_header(h, sizeof(*route));
	route->rtm_family = AF_INET;
	route->rtm_table = RT_TABLE_MAIN;
	route->rtm_protocol = RTPROT_STATIC;
	route->rtm_scope = RT_SCOPE_UNIVERSE;
	route->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(h, RTA_GATEWAY, htonl(gateway));
	return nl_ask(nl, h);
}

int nl_neighbour(struct mnl_socket *nl, const char *name, uint32_t ip, const uint8_t mac[6])
{
	_Alignas(8) char room[NL_ROOM];
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	struct ndmsg *neighbour;
	int index = nl_index(nl, name);

	if (index < 0)
		return index;
	h->nlmsg_type = RTM_NEWNEIGH;
	h->nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
	neighbour = mnl_nlmsg_put_extra_header(h, sizeof(*neighbour));
	neighbour->ndm_family = AF_INET;
	neighbour->ndm_ifindex = index;
	neighbour->ndm_state = NUD_PERMANENT;
	mnl_attr_put_u32(h, NDA_DST, htonl(ip));
	mnl_attr_put(h, NDA_LLADDR, 6, mac);
	return nl_ask(nl, h);
}

int nl_forget_connections(void)
{
	_Alignas(8) char room[NL_ROOM];
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	struct nfgenmsg *family;
	int rc;

	if (!nl)
		return -errno;
	h->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
	family = mnl_nlmsg_put_extra_header(h, sizeof(*family));
	family->nfgen_family = AF_UNSPEC;
	family->version = NFNETLINK_V0;
	rc = mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : nl_ask(nl, h);
	mnl_socket_close(nl);
	return rc;
}
