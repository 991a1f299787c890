#include "priv/host_setup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/resolv.h"
#include "ipc/agent.h"
#include "priv/netlink.h"
#include "priv/nft.h"

#define HOST_SETUP_CHECK_MS 5000
#define HOST_SETUP_FORWARD  "/proc/sys/net/ipv4/ip_forward"

static int host_setup_nft(void *text)
{
	nft_exec(text);
	return 1;
}

static void host_setup_rules(const struct host_setup *h, struct buf *text)
{
	nft_host_text(text, h->names, h->resolver);
	if (!h->resolver)
		log_warn("guests have no resolver: /etc/resolv.conf names only loopback addresses");
}

static void host_setup_check_again(struct timer *t)
{
	host_setup_check(container_of(t, struct host_setup, check));
}

static void host_setup_loaded(struct child *c, int status)
{
	struct host_setup *h = container_of(c, struct host_setup, loading);

	if (!status)
		return;
	log_err("the rules for a new resolver could not be loaded");
	h->resolver = 0; /* so that the next check tries again */
}

void host_setup_check(struct host_setup *h)
{
	uint32_t now = resolv_read(h->configured, NULL);
	autobuf struct buf text = { 0 };
	struct err e;

	loop_timer(h->loop, &h->check, HOST_SETUP_CHECK_MS, host_setup_check_again);
	if (now == h->resolver || h->loading.pid)
		return;
	h->resolver = now;
	host_setup_rules(h, &text);
	if (child_start(h->loop, &h->loading, host_setup_nft, buf_str(&text), host_setup_loaded,
			&e))
		log_err("%s", e.text);
}

static int host_setup_write(const char *path, int flags, const char *value, struct err *e)
{
	autoclose int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0644);

	if (fd < 0 || io_write_full(fd, value, strlen(value)))
		return err_sys(e, "write '%s'", path);
	return 0;
}

static int host_setup_forward(const struct host_setup *h, struct err *e)
{
	autoclose int fd = open(HOST_SETUP_FORWARD, O_RDONLY | O_CLOEXEC);
	autobuf struct buf was = { 0 };

	if (fd < 0 || io_read_all(fd, &was, KIB))
		return err_sys(e, "read " HOST_SETUP_FORWARD);
	if (access(h->record, F_OK) &&
	    host_setup_write(h->record, O_CREAT | O_TRUNC, buf_str(&was), e))
		return -1;
	return host_setup_write(HOST_SETUP_FORWARD, 0, "1\n", e);
}

/* The host is SLOT_API_IP itself, as long as an instance with such guests runs. */
static int host_setup_api(const struct host_setup *h, bool add, struct err *e)
{
	struct mnl_socket *nl;
	struct in_addr in = { 0 };
	int rc;

	if (!h->names->api_port)
		return 0;
	nl = nl_open();
	if (!nl)
		return err_sys(e, "open netlink");
	inet_pton(AF_INET, SLOT_API_IP, &in);
	rc = add ? nl_address(nl, "lo", ntohl(in.s_addr), 32)
		 : nl_address_remove(nl, "lo", ntohl(in.s_addr), 32);
	nl_close(nl);
	errno = -rc;
	return rc && rc != -EEXIST && rc != -EADDRNOTAVAIL
		       ? err_sys(e, "set the address " SLOT_API_IP)
		       : 0;
}

int host_setup_open(struct host_setup *h, struct loop *l, const struct names *n,
		    const char *run_dir, const char *resolver, struct err *e)
{
	autobuf struct buf text = { 0 };

	*h = (struct host_setup){ .loop = l, .names = n, .configured = resolver };
	h->record = xasprintf("%s/ip_forward", run_dir);
	h->resolver = resolv_read(resolver, NULL);
	host_setup_rules(h, &text);
	if (child_run(host_setup_nft, buf_str(&text)))
		return err_set(e, ERR_INTERNAL, "nft refused the rules; the line above says why");
	loop_timer(l, &h->check, HOST_SETUP_CHECK_MS, host_setup_check_again);
	return host_setup_api(h, true, e) ? -1 : host_setup_forward(h, e);
}

/* Forwarding must stay on while another instance has slots. */
static bool host_setup_is_shared(const struct host_setup *h)
{
	struct if_nameindex *all = if_nameindex();
	bool shared = false;

	for (const struct if_nameindex *i = all; i && i->if_index; i++) {
		shared |= names_is_link(i->if_name) &&
			  strncmp(i->if_name, h->names->link, strlen(h->names->link)) != 0;
	}
	if (all)
		if_freenameindex(all);
	return shared;
}

static void host_setup_forward_back(const struct host_setup *h)
{
	autoclose int fd = open(h->record, O_RDONLY | O_CLOEXEC);
	autobuf struct buf was = { 0 };
	struct err e;

	if (fd >= 0 && !io_read_all(fd, &was, KIB) && !strcmp(buf_str(&was), "0\n") &&
	    !host_setup_is_shared(h) && host_setup_write(HOST_SETUP_FORWARD, 0, "0\n", &e))
		log_warn("%s", e.text);
	unlink(h->record);
}

void host_setup_close(struct host_setup *h, bool remove)
{
	autobuf struct buf text = { 0 };
	struct err e;

	loop_untimer(h->loop, &h->check);
	if (remove) {
		nft_host_remove_text(&text, h->names);
		if (child_run(host_setup_nft, buf_str(&text)))
			log_warn("the nft table stays behind table=%s", h->names->table);
		host_setup_forward_back(h);
		if (!host_setup_is_shared(h) && host_setup_api(h, false, &e))
			log_warn("%s", e.text);
	}
	free(h->record);
	h->record = NULL;
}
