/* A provider for OpenSSL 3 whose generator keeps nothing in memory: every draw asks the kernel.
 *
 * OpenSSL's own generator is seeded once an hour, so two clones of one snapshot would draw the same
 * bytes from it.  openssl.cnf, beside this file, puts this one in its place.
 *
 * It is loaded into any process that has OpenSSL, against glibc or musl, and into programs such as
 * Node that bring an OpenSSL of their own.  So it names no library that it needs: the few functions
 * that it calls are the ones that every C library has, and no function of libcrypto is among them.
 * It runs on any thread; there is no state to lock. */

#include <errno.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "provider/node.h"

#define RAND_NAME        "CTR-DRBG" /* the name that OpenSSL asks for */
#define RAND_STRENGTH    256        /* bits */
#define RAND_MAX_REQUEST 0x7fffffff

/* What OpenSSL looks for in a provider. */
__attribute__((visibility("default"))) int OSSL_provider_init(const OSSL_CORE_HANDLE *handle,
							      const OSSL_DISPATCH *in,
							      const OSSL_DISPATCH **out,
							      void **context);

/* Contexts are told apart by nobody, so all of them are this one. */
static char rand_context;

static int rand_fill(unsigned char *out, size_t size)
{
	while (size) {
		ssize_t n = getrandom(out, size, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0;
		out += n;
		size -= (size_t)n;
	}
	return 1;
}

static void *rand_new(void *provider, void *parent, const OSSL_DISPATCH *parent_calls)
{
	(void)provider;
	(void)parent;
	(void)parent_calls;
	return &rand_context;
}

static void rand_free(void *context)
{
	(void)context;
}

static int rand_instantiate(void *context, unsigned strength, int resist,
			    const unsigned char *personal, size_t size, const OSSL_PARAM params[])
{
	(void)context;
	(void)resist;
	(void)personal;
	(void)size;
	(void)params;
	return strength <= RAND_STRENGTH;
}

static int rand_uninstantiate(void *context)
{
	(void)context;
	return 1;
}

static int rand_generate(void *context, unsigned char *out, size_t size, unsigned strength,
			 int resist, const unsigned char *more, size_t more_size)
{
	(void)context;
	(void)resist;
	(void)more;
	(void)more_size;
	return strength <= RAND_STRENGTH && rand_fill(out, size);
}

static int rand_reseed(void *context, int resist, const unsigned char *seed, size_t seed_size,
		       const unsigned char *more, size_t more_size)
{
	(void)context;
	(void)resist;
	(void)seed;
	(void)seed_size;
	(void)more;
	(void)more_size;
	return 1;
}

/* A generator of OpenSSL's own may have this one as its parent and take its seed here. */
static size_t rand_get_seed(void *context, unsigned char **seed, int bits, size_t least,
			    size_t most, int resist, const unsigned char *more, size_t more_size)
{
	size_t size = bits > 0 ? ((size_t)bits + 7) / 8 : 0;

	(void)context;
	(void)resist;
	(void)more;
	(void)more_size;
	if (size < least)
		size = least;
	if (size > most)
		size = most;
	*seed = malloc(size);
	if (*seed && rand_fill(*seed, size))
		return size;
	free(*seed);
	*seed = NULL;
	return 0;
}

static void rand_clear_seed(void *context, unsigned char *seed, size_t size)
{
	(void)context;
	explicit_bzero(seed, size);
	free(seed);
}

static int rand_enable_locking(void *context)
{
	(void)context;
	return 1;
}

static int rand_lock(void *context)
{
	(void)context;
	return 1;
}

static void rand_unlock(void *context)
{
	(void)context;
}

/* Each returns what the parameter of its name is now. */
static size_t rand_state(void)
{
	return EVP_RAND_STATE_READY;
}

static size_t rand_strength(void)
{
	return RAND_STRENGTH;
}

static size_t rand_max_request(void)
{
	return RAND_MAX_REQUEST;
}

/* A child seeds itself anew when this number has changed, and so does so for each draw. */
static size_t rand_reseed_counter(void)
{
	unsigned n = 0;

	rand_fill((unsigned char *)&n, sizeof(n));
	return n ? n : 1; /* 0 means that the generator is broken. */
}

static const struct rand_param {
	const char *name;
	size_t (*value)(void);
} rand_params[] = {
	{ OSSL_RAND_PARAM_STATE, rand_state },
	{ OSSL_RAND_PARAM_STRENGTH, rand_strength },
	{ OSSL_RAND_PARAM_MAX_REQUEST, rand_max_request },
	{ OSSL_DRBG_PARAM_RESEED_COUNTER, rand_reseed_counter },
};

static int rand_put(OSSL_PARAM *p, size_t value)
{
	unsigned narrow = (unsigned)value;

	if (!p->data || (p->data_size != sizeof(narrow) && p->data_size != sizeof(value)))
		return 0;
	if (p->data_size == sizeof(narrow))
		memcpy(p->data, &narrow, sizeof(narrow));
	else
		memcpy(p->data, &value, sizeof(value));
	p->return_size = p->data_size;
	return 1;
}

static int rand_get_params(void *context, OSSL_PARAM params[])
{
	(void)context;
	for (OSSL_PARAM *p = params; p && p->key; p++)
		for (size_t i = 0; i < sizeof(rand_params) / sizeof(*rand_params); i++)
			if (!strcmp(p->key, rand_params[i].name) &&
			    !rand_put(p, rand_params[i].value()))
				return 0;
	return 1;
}

static const OSSL_PARAM *rand_gettable(void *context, void *provider)
{
	static const OSSL_PARAM gettable[] = {
		OSSL_PARAM_int(OSSL_RAND_PARAM_STATE, NULL),
		OSSL_PARAM_uint(OSSL_RAND_PARAM_STRENGTH, NULL),
		OSSL_PARAM_size_t(OSSL_RAND_PARAM_MAX_REQUEST, NULL),
		OSSL_PARAM_uint(OSSL_DRBG_PARAM_RESEED_COUNTER, NULL),
		OSSL_PARAM_END,
	};

	(void)context;
	(void)provider;
	return gettable;
}

static const OSSL_ALGORITHM *rand_query(void *provider, int operation, int *no_cache)
{
	static const OSSL_DISPATCH calls[] = {
		{ OSSL_FUNC_RAND_NEWCTX, (void (*)(void))rand_new },
		{ OSSL_FUNC_RAND_FREECTX, (void (*)(void))rand_free },
		{ OSSL_FUNC_RAND_INSTANTIATE, (void (*)(void))rand_instantiate },
		{ OSSL_FUNC_RAND_UNINSTANTIATE, (void (*)(void))rand_uninstantiate },
		{ OSSL_FUNC_RAND_GENERATE, (void (*)(void))rand_generate },
		{ OSSL_FUNC_RAND_RESEED, (void (*)(void))rand_reseed },
		{ OSSL_FUNC_RAND_GET_SEED, (void (*)(void))rand_get_seed },
		{ OSSL_FUNC_RAND_CLEAR_SEED, (void (*)(void))rand_clear_seed },
		{ OSSL_FUNC_RAND_ENABLE_LOCKING, (void (*)(void))rand_enable_locking },
		{ OSSL_FUNC_RAND_LOCK, (void (*)(void))rand_lock },
		{ OSSL_FUNC_RAND_UNLOCK, (void (*)(void))rand_unlock },
		{ OSSL_FUNC_RAND_GETTABLE_CTX_PARAMS, (void (*)(void))rand_gettable },
		{ OSSL_FUNC_RAND_GET_CTX_PARAMS, (void (*)(void))rand_get_params },
		{ 0, NULL },
	};
	static const OSSL_ALGORITHM algorithms[] = {
		{ RAND_NAME, "provider=doze", calls, "the kernel's generator" },
		{ NULL, NULL, NULL, NULL },
	};

	(void)provider;
	*no_cache = 0;
	return operation == OSSL_OP_RAND ? algorithms : NULL;
}

static const OSSL_PARAM *rand_gettable_names(void *provider)
{
	static const OSSL_PARAM gettable[] = {
		OSSL_PARAM_DEFN(OSSL_PROV_PARAM_NAME, OSSL_PARAM_UTF8_PTR, NULL, 0),
		OSSL_PARAM_DEFN(OSSL_PROV_PARAM_VERSION, OSSL_PARAM_UTF8_PTR, NULL, 0),
		OSSL_PARAM_DEFN(OSSL_PROV_PARAM_STATUS, OSSL_PARAM_INTEGER, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)provider;
	return gettable;
}

/* What `openssl list -providers` prints. */
static int rand_get_names(void *provider, OSSL_PARAM params[])
{
	(void)provider;
	for (OSSL_PARAM *p = params; p && p->key; p++) {
		const char *text = !strcmp(p->key, OSSL_PROV_PARAM_NAME) ? "The kernel's generator"
				   : !strcmp(p->key, OSSL_PROV_PARAM_VERSION) ? DOZE_VERSION
									      : NULL;

		if (text && p->data && p->data_type == OSSL_PARAM_UTF8_PTR) {
			*(const char **)p->data = text;
			p->return_size = strlen(text);
		} else if (!strcmp(p->key, OSSL_PROV_PARAM_STATUS) && !rand_put(p, 1)) {
			return 0;
		}
	}
	return 1;
}

int OSSL_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
		       const OSSL_DISPATCH **out, void **context)
{
	static const OSSL_DISPATCH calls[] = {
		{ OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, (void (*)(void))rand_gettable_names },
		{ OSSL_FUNC_PROVIDER_GET_PARAMS, (void (*)(void))rand_get_names },
		{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))rand_query },
		{ 0, NULL },
	};

	(void)handle;
	(void)in;
	node_start_again();
	*out = calls;
	*context = &rand_context;
	return 1;
}
