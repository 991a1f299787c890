/* nft.h - the packet rules, as text for `nft -f -`.  They are made of numbers and checked names
 * only.
 *
 * The host has one table for all slots, which is replaced as a whole in one transaction. Each slot
 * has a table of its own, the same in all of them. Together they promise that a slot reaches
 * neither the host nor a private network nor another slot, and that nothing reaches into a slot.
 * The one exception is port 53 of the resolver, as which SLOT_DNS_IP and SLOT_DNS_CLOUD_IP appear.
 * Addresses where clouds serve a host's own credentials are closed before anything is allowed. */
#ifndef PRIV_NFT_H
#define PRIV_NFT_H

#include "base/buf.h"
#include "priv/names.h"

#define NFT_PROGRAM "/usr/sbin/nft"

void nft_host_text(struct buf *b, const struct names *n, uint32_t resolver);
void nft_host_remove_text(struct buf *b, const struct names *n);
extern const char nft_slot_text[];

/* Executes nft with @text on its stdin. It is called in a child and returns only on failure, which
 * it logs. */
void nft_exec(const char *text);

#endif
