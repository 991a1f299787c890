/* nft.h - the packet rules, as text for `nft -f -`.  Made of numbers and checked names only.
 *
 * The host has one table for all slots, replaced as a whole in one transaction; a slot has one
 * table of its own, the same in each.  What they promise: from a slot no address of the host
 * and no private network is reached, nor another slot; nothing reaches into a slot; the one
 * exception is port 53 of the resolver that SLOT_DNS_IP stands for. */
#ifndef PRIV_NFT_H
#define PRIV_NFT_H

#include "base/buf.h"
#include "priv/names.h"

#define NFT_PROGRAM "/usr/sbin/nft"

void nft_host_text(struct buf *b, const struct names *n, uint32_t resolver);
void nft_host_remove_text(struct buf *b, const struct names *n);
extern const char nft_slot_text[];

/* Become nft with @text on stdin, in a child: returns only on failure, logged. */
void nft_exec(const char *text);

#endif
