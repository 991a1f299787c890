/* tls_memory.h - the memory of OpenSSL's buffers for records: it takes one for each record and
 * gives it back, so that an idle connection has none, and they are too large for the allocator's
 * quick lists.  Each thread keeps a few. */
#ifndef NET_TLS_MEMORY_H
#define NET_TLS_MEMORY_H

void tls_memory_begin(void); /* harmless if OpenSSL has memory already: it keeps the allocator */

#endif
