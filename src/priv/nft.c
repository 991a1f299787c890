#include "priv/nft.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "ipc/agent.h"

/* No guest may reach these unless it is allowed: this host, this site, and everything that is not
 * unicast. */
static const struct network nft_private[] = {
	{ 0x00000000, 8 },  /* this host */
	{ 0x0a000000, 8 },  /* 10.0.0.0 */
	{ 0x64400000, 10 }, /* 100.64.0.0, shared */
	{ 0x7f000000, 8 },  /* loopback */
	{ 0xa9fe0000, 16 }, /* 169.254.0.0, with the clouds' metadata services */
	{ 0xac100000, 12 }, /* 172.16.0.0 */
	{ 0xc0000000, 24 }, /* 192.0.0.0 */
	{ 0xc0a80000, 16 }, /* 192.168.0.0 */
	{ 0xc6120000, 15 }, /* 198.18.0.0, benchmarks */
	{ 0xe0000000, 3 },  /* multicast and above */
};

/* Credentials of the host itself are had here, so no configuration opens them.  Some stand outside
 * of what nft_private has.  The resolver of a cloud may be one of them; then its port 53 stays
 * open. */
static const struct network nft_metadata[] = {
	{ 0x646464c8, 32 }, /* 100.100.100.200 */
	{ 0xa83f8110, 32 }, /* 168.63.129.16 */
	{ 0xa9fe0017, 32 }, /* 169.254.0.23 */
	{ 0xa9fea900, 24 }, /* 169.254.169.0, with 169.254.169.254 */
	{ 0xa9feaa00, 24 }, /* 169.254.170.0, of containers */
	{ 0xc00000c0, 32 }, /* 192.0.0.192 */
};

/* The count limits how much of the host's connection table one guest can take. */
const char nft_slot_text[] = "add table inet slot\n"
			     "delete table inet slot\n"
			     "table inet slot {\n"
			     "	chain slot_input {\n"
			     "		type filter hook input priority 0; policy drop;\n"
			     "		iifname \"lo\" accept\n"
			     "		meta nfproto ipv4 ct state established,related accept\n"
			     "	}\n"
			     "	chain slot_forward {\n"
			     "		type filter hook forward priority 0; policy drop;\n"
			     "		meta nfproto ipv6 drop\n"
			     "		ct state established,related accept\n"
			     "		ct state new ct count over 4096 drop\n"
			     "		iifname \"tap0\" oifname \"eth0\" ct state new accept\n"
			     "	}\n"
			     "	chain slot_source {\n"
			     "		type nat hook postrouting priority 100;\n"
			     "		oifname \"eth0\" meta nfproto ipv4 masquerade\n"
			     "	}\n"
			     "}\n";

static void nft_network(struct buf *b, const struct network *net)
{
	uint32_t a = net->address;

	buf_addf(b, "%u.%u.%u.%u/%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255, net->prefix);
}

static void nft_set(struct buf *b, const char *name, const struct network *nets, size_t n)
{
	buf_addf(b, "	set %s {\n		type ipv4_addr\n		flags interval\n",
		 name);
	buf_adds(b, "		auto-merge\n");
	for (size_t i = 0; i < n; i++) {
		buf_adds(b, i ? ", " : "		elements = { ");
		nft_network(b, &nets[i]);
	}
	buf_adds(b, n ? " }\n	}\n" : "	}\n");
}

static void nft_sets(struct buf *b, const struct names *n, uint32_t resolver)
{
	struct network private[ARRAY_SIZE(nft_private) + 1];
	struct network dns = { resolver, 32 };

	memcpy(private, nft_private, sizeof(nft_private));
	private[ARRAY_SIZE(nft_private)] = n->slots;
	nft_set(b, "metadata", nft_metadata, ARRAY_SIZE(nft_metadata));
	nft_set(b, "private", private, ARRAY_SIZE(private));
	nft_set(b, "allowed", n->allowed, n->n_allowed);
	nft_set(b, "resolver", &dns, resolver ? 1 : 0);
}

/* A slot may reach the resolver on this host, if it is here.  Those that have the API reach it by
 * their own routes (slot_open_api). */
static void nft_from_slot(struct buf *b, const struct names *n)
{
	buf_adds(b, "	chain from_slot_to_host {\n");
	if (n->api_port)
		buf_addf(b, "		ip daddr " SLOT_API_IP " tcp dport { %u, %u } accept\n",
			 n->api_port, n->s3_port);
	buf_adds(b, "		ip daddr @resolver meta l4proto { tcp, udp } th dport 53 accept\n"
		    "		meta nfproto ipv4 reject with icmp type admin-prohibited\n"
		    "		drop\n"
		    "	}\n");
}

/* By the guests' address the API is there for guests alone. */
static void nft_input(struct buf *b, const struct names *n)
{
	nft_from_slot(b, n);
	buf_addf(b,
		 "	chain host_input {\n"
		 "		type filter hook input priority -10; policy accept;\n"
		 "		iifname \"%s*\" jump from_slot_to_host\n",
		 n->link);
	if (n->api_port)
		buf_adds(b, "		iifname != \"lo\" iifname != \"dz*\" iifname != \"doze-*\" "
			    "ip daddr " SLOT_API_IP " drop\n");
	buf_adds(b, "	}\n");
}

static void nft_forward(struct buf *b, const struct names *n)
{
	buf_addf(b,
		 "	chain from_slot {\n"
		 "		meta nfproto ipv6 drop\n"
		 "		ct state invalid drop\n"
		 "		oifname \"%s*\" reject with icmp type admin-prohibited\n"
		 "		ip daddr @metadata ip daddr != @resolver reject with icmp type "
		 "admin-prohibited\n"
		 "		ip daddr @metadata meta l4proto != { tcp, udp } reject with icmp "
		 "type "
		 "admin-prohibited\n"
		 "		ip daddr @metadata th dport != 53 reject with icmp type "
		 "admin-prohibited\n"
		 "		ct state established,related accept\n"
		 "		ip saddr != ",
		 n->link);
	nft_network(b, &n->slots);
	buf_addf(b,
		 " drop\n"
		 "		ip daddr @resolver meta l4proto { tcp, udp } th dport 53 accept\n"
		 "		ip daddr @allowed accept\n"
		 "		ip daddr @private reject with icmp type admin-prohibited\n"
		 "		accept\n"
		 "	}\n"
		 "	chain to_slot {\n"
		 "		meta nfproto ipv4 ct state established,related accept\n"
		 "		drop\n"
		 "	}\n"
		 "	chain host_forward {\n"
		 "		type filter hook forward priority -10; policy accept;\n"
		 "		iifname \"%s*\" tcp flags syn tcp option maxseg size set rt mtu\n"
		 "		oifname \"%s*\" tcp flags syn tcp option maxseg size set rt mtu\n"
		 "		iifname \"%s*\" jump from_slot\n"
		 "		oifname \"%s*\" jump to_slot\n"
		 "	}\n",
		 n->link, n->link, n->link, n->link);
}

static void nft_nat(struct buf *b, const struct names *n, uint32_t resolver)
{
	buf_adds(b, "	chain host_names {\n"
		    "		type nat hook prerouting priority -100;\n");
	if (resolver)
		buf_addf(b,
			 "		iifname \"%s*\" ip daddr { " SLOT_DNS_IP
			 ", " SLOT_DNS_CLOUD_IP
			 " } meta l4proto { tcp, udp } th dport 53 dnat ip to %u.%u.%u.%u\n",
			 n->link, resolver >> 24, resolver >> 16 & 255, resolver >> 8 & 255,
			 resolver & 255);
	buf_adds(b, "	}\n"
		    "	chain host_source {\n"
		    "		type nat hook postrouting priority 100;\n"
		    "		ip saddr ");
	nft_network(b, &n->slots);
	buf_addf(b, " oifname != \"%s*\" iifname \"%s*\" masquerade\n	}\n", n->link, n->link);
}

void nft_host_text(struct buf *b, const struct names *n, uint32_t resolver)
{
	buf_addf(b, "add table inet %s\ndelete table inet %s\ntable inet %s {\n", n->table,
		 n->table, n->table);
	nft_sets(b, n, resolver);
	nft_input(b, n);
	nft_forward(b, n);
	nft_nat(b, n, resolver);
	buf_adds(b, "}\n");
}

void nft_host_remove_text(struct buf *b, const struct names *n)
{
	buf_addf(b, "add table inet %s\ndelete table inet %s\n", n->table, n->table);
}

void nft_exec(const char *text)
{
	static char name[] = "nft", file[] = "-f", input[] = "-";
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *const argv[] = { name, file, input, NULL }, *const env[] = { path, NULL };
	int fd = memfd_create("nft", 0);

	if (fd < 0 || io_write_full(fd, text, strlen(text)) || lseek(fd, 0, SEEK_SET) < 0 ||
	    dup2(fd, STDIN_FILENO) < 0)
		log_err("cannot hand rules to nft: %s", strerror(errno));
	else
		execve(NFT_PROGRAM, argv, env);
	log_err("cannot run " NFT_PROGRAM ": %s", strerror(errno));
}
