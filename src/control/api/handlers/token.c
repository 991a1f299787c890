/* token.c - CreateMicrovmAuthToken and CreateMicrovmShellAuthToken (service.md 7, 8), and our own
 * CreateMicrovmCertificate, a token in another form. */

#include <stdio.h>
#include <string.h>

#include "base/rand.h"
#include "base/steady.h"
#include "control/api/call.h"
#include "control/api/handlers/handlers.h"
#include "control/api/resolve.h"
#include "wire/certificate.h"
#include "wire/token.h"

#define TOKEN_MAX_MINUTES 60

/* Adds one allowedPorts entry; false: the call has failed. */
static bool token_allow(struct call *c, struct token_claims *claims, const json_t *entry)
{
	const json_t *port = json_object_get(entry, "port");
	const json_t *range = json_object_get(entry, "range");
	json_int_t first = json_integer_value(port), last = first;

	if (json_object_get(entry, "allPorts")) {
		claims->all_ports = true;
		return true;
	}
	if (range) {
		first = json_integer_value(json_object_get(range, "startPort"));
		last = json_integer_value(json_object_get(range, "endPort"));
	}
	if (first > last) {
		call_invalid(c, "The startPort %lld of a port range is above its endPort %lld.",
			     (long long)first, (long long)last);
		return false;
	}
	if (claims->n_ranges == TOKEN_MAX_RANGES) {
		call_invalid(c, "allowedPorts can have at most %d entries.", TOKEN_MAX_RANGES);
		return false;
	}
	claims->ranges[claims->n_ranges].first = (uint16_t)first;
	claims->ranges[claims->n_ranges++].last = (uint16_t)last;
	return true;
}

/* What both kinds of token begin with.  NULL: the call has failed. */
static struct microvm *token_begin(struct call *c, struct token_claims *claims)
{
	int64_t minutes = call_number(c, "expirationInMinutes", 0);
	struct microvm *vm = call_microvm(c);

	if (!vm)
		return NULL;
	if (minutes > TOKEN_MAX_MINUTES) {
		call_invalid(c, "ExpirationMinutes %lld exceeded max allowed of %d.",
			     (long long)minutes, TOKEN_MAX_MINUTES);
		return NULL;
	}
	if (vm->state == VM_TERMINATING || vm->state == VM_TERMINATED) {
		call_fail_as(c, 409, "ConflictException",
			     "The MicroVM has been terminated: no token can be made for it.");
		return NULL;
	}
	*claims = (struct token_claims){ .expires_ms = steady_ms() + minutes * 60000 };
	snprintf(claims->microvm, sizeof(claims->microvm), "%s", vm->id);
	return vm;
}

static void token_answer(struct call *c, const struct token_claims *claims)
{
	autobuf struct buf token = { 0 };
	uint8_t nonce[12];

	rand_bytes(nonce, sizeof(nonce));
	token_mint(&c->ctl->token_keys, claims, nonce, &token);
	call_answer(c, json_pack("{s:{s:s}}", "authToken", "X-aws-proxy-auth", buf_str(&token)));
}

/* Of a token for ports; false: the call has failed. */
static bool token_claim(struct call *c, struct token_claims *claims)
{
	const json_t *ports = json_object_get(c->in, "allowedPorts"), *entry;
	size_t i;

	if (!token_begin(c, claims))
		return false;
	json_array_foreach(ports, i, entry)
	{
		if (!token_allow(c, claims, entry))
			return false;
	}
	return true;
}

void token_create(struct call *c)
{
	struct token_claims claims;

	if (token_claim(c, &claims))
		token_answer(c, &claims);
}

void token_certify(struct call *c)
{
	const char *key = call_text(c, "publicKey");
	autobuf struct buf pem = { 0 };
	struct token_claims claims;
	struct err e;

	if (!token_claim(c, &claims))
		return;
	if (certificate_sign(c->ctl->client_signer, key, strlen(key), &claims, steady_ms(), &pem,
			     &e))
		call_fail(c, &e);
	else
		call_answer(c, json_pack("{s:s}", "certificate", buf_str(&pem)));
}

void token_create_shell(struct call *c)
{
	struct token_claims claims;
	struct microvm *vm = token_begin(c, &claims);

	if (!vm)
		return;
	if (vm->mixed_ingress) {
		call_invalid(c, "ALL_INGRESS cannot be combined with other ingress network "
				"connectors; use HTTP_INGRESS and/or SHELL_INGRESS instead");
		return;
	}
	if (!vm->shell_ingress) {
		call_invalid(c, "Shell access requires SHELL_INGRESS network connector to be "
				"configured on the MicroVM.");
		return;
	}
	claims.shell = true;
	token_answer(c, &claims);
}
