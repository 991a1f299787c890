#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

#include "base/rand.h"

#define BUCKETS_MIN 16

uint32_t hash_fnv1a_32(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint32_t hash = 0x811c9dc5;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x01000193;
	return hash;
}

static uint64_t fnv1a_64(uint64_t hash, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	return hash;
}

uint64_t hash_fnv1a_64(const void *data, size_t size)
{
	return fnv1a_64(0xcbf29ce484222325, data, size);
}

static uint32_t hash_key(const struct hash *h, const void *key, size_t size)
{
	uint64_t hash = fnv1a_64(h->seed, key, size);

	/* A bucket is chosen by the low bits, into which FNV-1a never carries a high one. */
	hash ^= hash >> 32;
	hash *= 0x9e3779b97f4a7c15;
	return (uint32_t)(hash ^ hash >> 32);
}

static struct hash_node **hash_bucket(const struct hash *h, uint32_t hash)
{
	return &h->buckets[hash & (h->n_buckets - 1)];
}

static void hash_put(struct hash_node **bucket, struct hash_node *node)
{
	node->next = *bucket;
	node->link = bucket;
	if (node->next)
		node->next->link = &node->next;
	*bucket = node;
}

static void hash_grow(struct hash *h)
{
	struct hash grown = { .n_buckets = 2 * h->n_buckets };

	grown.buckets = xcalloc(grown.n_buckets, sizeof(struct hash_node *));
	for (size_t i = 0; i < h->n_buckets; i++) {
		for (struct hash_node *node = h->buckets[i], *next; node; node = next) {
			next = node->next;
			hash_put(hash_bucket(&grown, node->hash), node);
		}
	}
	free(h->buckets);
	h->buckets = grown.buckets;
	h->n_buckets = grown.n_buckets;
}

void hash_init(struct hash *h)
{
	*h = (struct hash){ .n_buckets = BUCKETS_MIN };
	h->buckets = xcalloc(h->n_buckets, sizeof(struct hash_node *));
	rand_bytes(&h->seed, sizeof(h->seed));
}

void hash_free(struct hash *h)
{
	free(h->buckets);
	*h = (struct hash){ 0 };
}

void hash_add(struct hash *h, struct hash_node *node, const void *key, size_t key_size)
{
	assert(!hash_has(node) && key_size <= UINT32_MAX && !hash_find_node(h, key, key_size));
	if (h->n == h->n_buckets)
		hash_grow(h);
	node->key = key;
	node->key_size = (uint32_t)key_size;
	node->hash = hash_key(h, key, key_size);
	hash_put(hash_bucket(h, node->hash), node);
	h->n++;
}

void hash_del(struct hash *h, struct hash_node *node)
{
	if (!hash_has(node))
		return;
	*node->link = node->next;
	if (node->next)
		node->next->link = node->link;
	*node = (struct hash_node){ 0 };
	h->n--;
}

struct hash_node *hash_find_node(const struct hash *h, const void *key, size_t key_size)
{
	uint32_t hash = hash_key(h, key, key_size);
	struct hash_node *node = *hash_bucket(h, hash);

	while (node && (node->hash != hash || node->key_size != key_size ||
			(key_size && memcmp(node->key, key, key_size) != 0)))
		node = node->next;
	return node;
}

static struct hash_node *hash_from(const struct hash *h, size_t bucket)
{
	for (; bucket < h->n_buckets; bucket++)
		if (h->buckets[bucket])
			return h->buckets[bucket];
	return NULL;
}

struct hash_node *hash_first(const struct hash *h)
{
	return hash_from(h, 0);
}

struct hash_node *hash_after(const struct hash *h, const struct hash_node *node)
{
	return node->next ? node->next
			  : hash_from(h, (size_t)(node->hash & (h->n_buckets - 1)) + 1);
}
