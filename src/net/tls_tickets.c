/* tls_tickets.c - session tickets whose keys several processes share, so that a session which began
 * at one of them goes on at another. */

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "net/tls_parts.h"

/* What OpenSSL takes as an answer. */
#define TICKET_FAILED  (-1)
#define TICKET_UNKNOWN 0
#define TICKET_GOOD    1
#define TICKET_OLD     2 /* good, and the client gets a new one */

static int tickets_set(const struct super_ticket_key *key, const unsigned char *iv,
		       EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = { OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY,
								  (void *)(uintptr_t)key->hmac,
								  sizeof(key->hmac)),
				OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
				OSSL_PARAM_construct_end() };

	return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, seal) == 1 &&
	       EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int tls_on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
			 EVP_MAC_CTX *mac, int seal)
{
	const struct super_tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if (seal) {
		memcpy(name, t->keys[0].name, sizeof(t->keys[0].name));
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
			return TICKET_FAILED;
		return tickets_set(&t->keys[0], iv, cipher, mac, 1) ? TICKET_GOOD : TICKET_FAILED;
	}
	for (size_t i = 0; i < ARRAY_SIZE(t->keys); i++) {
		if (memcmp(name, t->keys[i].name, sizeof(t->keys[i].name)) != 0)
			continue;
		if (!tickets_set(&t->keys[i], iv, cipher, mac, 0))
			return TICKET_FAILED;
		return i ? TICKET_OLD : TICKET_GOOD;
	}
	return TICKET_UNKNOWN;
}

void tls_set_tickets(struct tls *t, const struct super_tickets *keys)
{
	SSL_CTX_set_app_data(t->ctx, (void *)(uintptr_t)keys);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(t->ctx, tls_on_ticket);
}
