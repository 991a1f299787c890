/* Whatever certificate a client shows: only one that the authority signed is read, and its claims
 * are those that were signed. */

#include <stdlib.h>
#include <string.h>

#include "wire/certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Its key is nowhere: it signed regression/certificate/good and expired. */
static const char authority[] = "-----BEGIN CERTIFICATE-----\n"
				"MIIBpzCCAU2gAwIBAgIUW40yPKJDV1h78WRFVcih+zD8odwwCgYIKoZIzj0EAwIw\n"
				"KDENMAsGA1UECgwEZG96ZTEXMBUGA1UEAwwOZG96ZSBjbGllbnQgQ0EwIBcNMjYx\n"
				"MjAxMDMyNzA4WhgPMjEyNjExMDcwMzI3MDhaMCgxDTALBgNVBAoMBGRvemUxFzAV\n"
				"BgNVBAMMDmRvemUgY2xpZW50IENBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n"
				"TZDwQ4roj3kD1DhCdWfXPkGBmmlguuJ+fg0jjdm1iriLcN9oH5t3VLkuMp9Y2GG9\n"
				"sdejA11EvgN7RsF+yClu0KNTMFEwHQYDVR0OBBYEFFfGbnNe3F74I5o8te1Me8P9\n"
				"mDjFMB8GA1UdIwQYMBaAFFfGbnNe3F74I5o8te1Me8P9mDjFMA8GA1UdEwEB/wQF\n"
				"MAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgGz3KmKL6uFn3FBUI9SBvJscW5epmB+E9\n"
				"1yem2vkEltMCIQC7SeOxJIfiGOv/RON3LHGWclZVw30XoURc+vrlvyxatg==\n"
				"-----END CERTIFICATE-----\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct certificate_authority *a;
	struct token_claims claims;
	struct err e;

	if (!a)
		a = certificate_authority_new(authority, strlen(authority), &e);
	assert(a);
	if (certificate_open(a, data, size, INT64_C(1800000000000), &claims, &e)) {
		assert(e.kind == ERR_DENIED);
		return 0;
	}
	assert(!strcmp(claims.microvm, "microvm-1") && claims.n_ranges == 2);
	assert(token_allows(&claims, 5432) && !token_allows(&claims, 5433));
	return 0;
}
