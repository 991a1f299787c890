/* The proxy role by itself, for proxy_rig.py, and tokens for it:
 *
 *	proxy_role		as dozed would start it: the supervisor on 3, the configuration on 4
 *	proxy_role mint KEYS MICROVM EXPIRES_MS [PORT | FIRST-LAST | all | shell]...
 *	proxy_role sign SIGNER PUBLIC_KEY MICROVM EXPIRES_MS [SCOPE]...
 *
 * The last makes a certificate; its first two words are PEM. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "conf/conf.h"
#include "ipc/super.h"
#include "wire/certificate.h"

static void scope_add(struct token_claims *claims, const char *scope)
{
	unsigned first, last;
	int n = sscanf(scope, "%u-%u", &first, &last);

	claims->all_ports |= !strcmp(scope, "all");
	claims->shell |= !strcmp(scope, "shell");
	if (n < 1)
		return;
	claims->ranges[claims->n_ranges].first = (uint16_t)first;
	claims->ranges[claims->n_ranges++].last = (uint16_t)(n == 2 ? last : first);
}

static struct token_claims claims_of(int argc, char **argv)
{
	struct token_claims claims = { 0 };

	snprintf(claims.microvm, sizeof(claims.microvm), "%s", argv[0]);
	claims.expires_ms = strtoll(argv[1], NULL, 10);
	for (int i = 2; i < argc && i < TOKEN_MAX_RANGES; i++)
		scope_add(&claims, argv[i]);
	return claims;
}

static int sign(int argc, char **argv)
{
	autobuf struct buf pem = { 0 };
	struct certificate_authority *a;
	struct token_claims claims;
	struct err e;

	if (argc < 4 || !(a = certificate_authority_new(argv[0], strlen(argv[0]), &e)))
		return 1;
	claims = claims_of(argc - 2, argv + 2);
	if (certificate_sign(a, argv[1], strlen(argv[1]), &claims, clock_wall_ms(), &pem, &e))
		return 1;
	certificate_authority_free(a);
	return fputs(buf_str(&pem), stdout) < 0;
}

static int mint(int argc, char **argv)
{
	autobuf struct buf text = { 0 };
	struct token_claims claims;
	struct token_keys keys;
	uint8_t nonce[12];
	struct err e;

	if (argc < 3 || token_keys_parse(argv[0], strlen(argv[0]), &keys, &e))
		return 1;
	claims = claims_of(argc - 1, argv + 1);
	rand_bytes(nonce, sizeof(nonce));
	token_mint(&keys, &claims, nonce, &text);
	return puts(buf_str(&text)) < 0;
}

int main(int argc, char **argv)
{
	struct conf conf;
	struct err e;

	if (argc > 2 && !strcmp(argv[1], "mint"))
		return mint(argc - 2, argv + 2);
	if (argc > 2 && !strcmp(argv[1], "sign"))
		return sign(argc - 2, argv + 2);
	log_init("proxy", getenv("DOZE_DEBUG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN);
	conf_defaults(&conf, "");
	if (conf_read(&conf, SUPER_CONFIG_FD, "the rig's", &e)) {
		log_err("%s", e.text);
		return 1;
	}
	return proxy_main(&conf, SUPER_FD);
}
