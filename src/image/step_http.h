/* step_http.h - a step's requests with libcurl. */
#ifndef IMAGE_STEP_HTTP_H
#define IMAGE_STEP_HTTP_H

#include <curl/curl.h>

#include "image/step.h"

/* Where an answer's body goes. */
struct step_body {
	struct buf *to;
	size_t most;
};

/* A handle with the site's CA and the limits that all requests have; NULL: no memory. */
CURL *step_curl(const struct step *s, const char *url);
/* CURLOPT_WRITEFUNCTION; @arg is a struct step_body. */
size_t step_take(char *data, size_t one, size_t n, void *arg);

#endif
