#include "image/site_ca.h"

#include "base/err.h"

/* Who reads which. */
static const char *const site_ca_variables[] = {
	"SSL_CERT_FILE",                    /* OpenSSL: Python's ssl, Ruby, PHP; Go; rustls: uv */
	"REQUESTS_CA_BUNDLE",               /* Python's requests, in place of certifi's file */
	"PIP_CERT",                         /* pip */
	"CURL_CA_BUNDLE",                   /* curl, and what is built on it */
	"GIT_SSL_CAINFO",                   /* git */
	"NODE_EXTRA_CA_CERTS",              /* Node: npm, pnpm, yarn; Bun */
	"DENO_CERT",                        /* Deno */
	"CARGO_HTTP_CAINFO",                /* cargo */
	"AWS_CA_BUNDLE",                    /* AWS's SDKs and CLI */
	"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", /* gRPC */
};

const char *site_ca_variable(size_t n)
{
	return n < ARRAY_SIZE(site_ca_variables) ? site_ca_variables[n] : NULL;
}
