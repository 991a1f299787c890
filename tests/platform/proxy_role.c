/* The proxy role by itself, for proxy_rig.py, and tokens for it:
 *
 *	proxy_role		as dozed would start it: the supervisor on 3, the configuration on 4
 *	proxy_role mint KEYS MICROVM EXPIRES_MS [PORT | FIRST-LAST | all | shell]... */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/rand.h"
#include "conf/conf.h"
#include "ipc/super.h"
#include "wire/token.h"

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

static int mint(int argc, char **argv)
{
	autobuf struct buf text = { 0 };
	struct token_claims claims = { 0 };
	struct token_keys keys;
	uint8_t nonce[12];
	struct err e;

	if (argc < 3 || token_keys_parse(argv[0], strlen(argv[0]), &keys, &e))
		return 1;
	snprintf(claims.microvm, sizeof(claims.microvm), "%s", argv[1]);
	claims.expires_ms = strtoll(argv[2], NULL, 10);
	for (int i = 3; i < argc && i < TOKEN_MAX_RANGES; i++)
		scope_add(&claims, argv[i]);
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
	log_init("proxy", getenv("DOZE_DEBUG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN);
	conf_defaults(&conf, "");
	if (conf_read(&conf, SUPER_CONFIG_FD, "the rig's", &e)) {
		log_err("%s", e.text);
		return 1;
	}
	return proxy_main(&conf, SUPER_FD);
}
