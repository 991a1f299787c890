/* format.h - the format of the data directory: dozed refuses a higher one before any role starts,
 * and control's store migrates a lower one. */
#ifndef IPC_FORMAT_H
#define IPC_FORMAT_H

#define STORE_FORMAT 4 /* the number in the file FORMAT */

/* A file in the data directory while a restore changes it. */
#define RESTORING "RESTORING"

#endif
