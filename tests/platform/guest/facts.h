/* facts.h - what a process finds out about the container that it is in: a name and a value for each
 * fact, printed as one JSON object.  The same program runs under runc and in a guest. */
#ifndef FACTS_H
#define FACTS_H

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* One fact, as "name": "value". */
void fact(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "ok", or errno's symbol if @rc is negative. */
void fact_call(const char *name, long rc);
const char *fact_error(long rc);
/* "absent", or the first @room bytes of a file, NULs as spaces. */
const char *fact_file(const char *path, char *text, unsigned long room);

void facts_process(void); /* ids, capabilities, limits, signals, standard input and output */
void facts_files(void);   /* /dev, mounts, /proc, /sys, the files that are handed in */
void facts_calls(void);   /* what the kernel lets it do */

#endif
