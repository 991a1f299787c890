/* crew.h - the workers of the proxy: how many there are, and how new ones take the place of old
 * ones.
 *
 * A worker accepts on listeners that the supervisor keeps, so a client is never refused: while a
 * worker is started again its new connections wait, and where it is replaced the next one is ready
 * before it is told to drain.  A worker that drains has a number of its own until it ends. */
#ifndef DOZED_CREW_H
#define DOZED_CREW_H

#include "conf/conf.h"

struct super;
struct super_seat;

unsigned crew_workers(const struct conf *conf); /* how many are to serve */

void crew_begin(struct super *s);             /* gives them seats */
void crew_hand_over(struct super_seat *seat); /* what a worker needs beside secrets */
void crew_free(struct super *s);
void crew_ready(struct super_seat *seat); /* one of them serves */
/* One has ended.  True: that is as it should be, and its seat is free. */
bool crew_ended(struct super_seat *seat) must_check;
/* Reads the configuration and the certificates again.  If the configuration or the program of the
 * workers is another one, each is replaced; otherwise they are given the certificates. */
void crew_reload(struct super *s);

#endif
