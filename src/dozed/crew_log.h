/* crew_log.h - the access log that the workers write: opened here, and rotated when it is large. */
#ifndef DOZED_CREW_LOG_H
#define DOZED_CREW_LOG_H

struct super;
struct super_seat;

void crew_log_begin(struct super *s);
void crew_log_end(struct super *s);
void crew_log_hand_over(struct super_seat *seat); /* harmless where there is none */

#endif
