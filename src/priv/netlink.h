/* netlink.h - the few requests that priv makes to the kernel's network. Each is answered at once.
 *
 * A socket speaks to the network namespace in which it was opened.  All return 0 or -errno;
 * addresses are numbers in host order. */
#ifndef PRIV_NETLINK_H
#define PRIV_NETLINK_H

#include "base/base.h"

struct mnl_socket;

struct mnl_socket *nl_open(void); /* NULL, errno */
void nl_close(struct mnl_socket *nl);

/* Makes a pair with @name here and @peer_name in the namespace of @peer_netns. */
int nl_veth(struct mnl_socket *nl, const char *name, const char *peer_name,
	    int peer_netns) must_check;
int nl_link_set(struct mnl_socket *nl, const char *name, bool up) must_check;
int nl_link_mac(struct mnl_socket *nl, const char *name, const uint8_t mac[6]) must_check;
int nl_link_remove(struct mnl_socket *nl, const char *name) must_check;
int nl_address(struct mnl_socket *nl, const char *name, uint32_t ip, uint8_t prefix) must_check;
int nl_default_route(struct mnl_socket *nl, uint32_t gateway) must_check;
int nl_address_remove(struct mnl_socket *nl, const char *name, uint32_t ip,
		      uint8_t prefix) must_check;
/* Nothing is sent to @ip from here, whoever sends it; or it is again. */
int nl_block(struct mnl_socket *nl, uint32_t ip, bool block) must_check;
/* Enters @ip as a permanent neighbour behind @name at @mac, so that nobody asks for it. */
int nl_neighbour(struct mnl_socket *nl, const char *name, uint32_t ip,
		 const uint8_t mac[6]) must_check;

/* Forgets every connection that this namespace tracks. */
int nl_forget_connections(void) must_check;

#endif
