#include "guest/metadata_token.h"

#include <string.h>
#include <sys/random.h>

#include "base/bytes.h"
#include "base/hex.h"

struct sip {
	uint64_t v[4];
};

static uint64_t sip_turn(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static void sip_round(struct sip *s)
{
	uint64_t *v = s->v;

	v[0] += v[1];
	v[1] = sip_turn(v[1], 13) ^ v[0];
	v[0] = sip_turn(v[0], 32);
	v[2] += v[3];
	v[3] = sip_turn(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = sip_turn(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = sip_turn(v[1], 17) ^ v[2];
	v[2] = sip_turn(v[2], 32);
}

static void sip_word(struct sip *s, uint64_t word)
{
	s->v[3] ^= word;
	sip_round(s);
	sip_round(s);
	s->v[0] ^= word;
}

uint64_t metadata_code(const struct metadata_key *key, const uint8_t *data, size_t size)
{
	uint64_t low = get_le64(key->bytes), high = get_le64(key->bytes + 8);
	struct sip s = { { low ^ 0x736f6d6570736575, high ^ 0x646f72616e646f6d,
			   low ^ 0x6c7967656e657261, high ^ 0x7465646279746573 } };
	uint8_t last[8] = { 0 };
	size_t whole = size / 8 * 8;

	for (size_t i = 0; i < whole; i += 8)
		sip_word(&s, get_le64(data + i));
	if (size > whole)
		memcpy(last, data + whole, size - whole);
	last[7] = (uint8_t)size;
	sip_word(&s, get_le64(last));
	s.v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(&s);
	return s.v[0] ^ s.v[1] ^ s.v[2] ^ s.v[3];
}

bool metadata_key_renew(struct metadata_key *key)
{
	struct metadata_key next;

	if (getrandom(&next, sizeof(next), 0) != sizeof(next))
		return false;
	*key = next;
	return true;
}

void metadata_token_make(const struct metadata_key *key, uint64_t until_ms, uint64_t salt,
			 char token[METADATA_TOKEN_SIZE])
{
	uint8_t bytes[METADATA_TOKEN_BYTES];

	put_le64(bytes, until_ms);
	put_le64(bytes + 8, salt);
	put_le64(bytes + 16, metadata_code(key, bytes, 16));
	hex_encode(bytes, sizeof(bytes), token);
}

bool metadata_token_good(const struct metadata_key *key, const char *token, uint64_t now_ms)
{
	uint8_t bytes[METADATA_TOKEN_BYTES];

	return hex_decode(token, bytes, sizeof(bytes)) &&
	       get_le64(bytes + 16) == metadata_code(key, bytes, 16) && now_ms < get_le64(bytes);
}
