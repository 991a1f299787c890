/* codes.h - the error codes of a failed build (service.md 10.1). */
#ifndef IMAGE_CODES_H
#define IMAGE_CODES_H

#define CODE_INTERNAL  "INTERNAL_PLATFORM_ERROR"
#define CODE_BUILD     "CONTAINER_BUILD_FAILED"
#define CODE_FULL      "DISK_STORAGE_FULL"
#define CODE_START     "CONTAINER_START_FAILED" /* our own name, like those below */
#define CODE_READY     "READY_HOOK_FAILED"
#define CODE_VALIDATE  "VALIDATE_HOOK_FAILED"
#define CODE_CANCELLED "CANCELLED"

#endif
