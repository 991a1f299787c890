/* hash.h - a hash table through a member of what it holds.
 *
 * A struct stands in as many tables at once as it has a `struct hash_node` for; a node that is
 * all zeros is in no table.  Each entry has a key of its own: any bytes, which the table borrows,
 * so they must stay where they are and as they are until hash_del.  The table owns its buckets
 * alone and grows with its entries: fewer than 2^32, as are the bytes of a key.  The order of the
 * entries differs from run to run, because each table draws a random seed: whoever chooses the keys
 * cannot choose the collisions. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/base.h"

struct hash_node {
	struct hash_node *next;
	struct hash_node **link; /* what points to this node; NULL: in no table */
	const void *key;         /* borrowed */
	uint32_t key_size, hash;
};

struct hash {
	struct hash_node **buckets;
	size_t n_buckets; /* a power of two */
	size_t n;
	uint64_t seed;
};

void hash_init(struct hash *h);
void hash_free(struct hash *h); /* the entries are left as they are */

/* The node must be in no table, and the key in none of this table's nodes. */
void hash_add(struct hash *h, struct hash_node *node, const void *key, size_t key_size);
void hash_del(struct hash *h, struct hash_node *node); /* does nothing if it is in no table */
struct hash_node *hash_find_node(const struct hash *h, const void *key, size_t key_size);

static inline bool hash_has(const struct hash_node *node)
{
	return node->link;
}

/* For hash_each: NULL is behind the last. */
struct hash_node *hash_first(const struct hash *h);
struct hash_node *hash_after(const struct hash *h, const struct hash_node *node);

static inline void *hash_owner(struct hash_node *node, size_t offset)
{
	return node ? (char *)node - offset : NULL;
}

#define hash_entry(node, type, m) ((type *)hash_owner(node, offsetof(type, m)))

/* The struct whose member @m has this key, or NULL. */
#define hash_find(h, key, key_size, type, m) hash_entry(hash_find_node(h, key, key_size), type, m)

/* @it may be taken out of the table inside the loop; nothing may be added there. */
#define hash_each(it, h, type, m)                                                      \
	for (type *it = hash_entry(hash_first(h), type, m),                            \
		  *it##_next = it ? hash_entry(hash_after(h, &it->m), type, m) : NULL; \
	     it;                                                                       \
	     it = it##_next, it##_next = it ? hash_entry(hash_after(h, &it->m), type, m) : NULL)

/* FNV-1a.  The value for the same bytes never changes, so it may be written down. */
uint32_t hash_fnv1a_32(const void *data, size_t size);
uint64_t hash_fnv1a_64(const void *data, size_t size);

#endif
