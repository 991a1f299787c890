/* java_store.h - a bundle of certificates as Java reads it, since Java reads no PEM.
 *
 * The format is JKS, which every Java takes for its `cacerts`, with the password "changeit" that
 * those have. Pure. */
#ifndef IMAGE_JAVA_STORE_H
#define IMAGE_JAVA_STORE_H

#include "base/buf.h"
#include "base/err.h"

#define JAVA_STORE_PLACE "/dev/doze-cacerts" /* in RUN, where /dev keeps nothing */

/* The n-th place where a Java has its store, if it is one of those that guests know; NULL behind
 * the last. */
const char *java_store_place(size_t n);

/* Adds the store of @pem's certificates to @to. An error if there is none or one cannot be read. */
int java_store(const struct buf *pem, struct buf *to, struct err *e) must_check;

#endif
