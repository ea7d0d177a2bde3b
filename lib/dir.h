/* SPDX-License-Identifier: Apache-2.0 */
/* Directories. Any thread. */
#ifndef LIB_DIR_H
#define LIB_DIR_H

/* mkdir -p, 0770 before umask; one that is there is fine. 0 or an errno. */
int
dir_make(const char *path) __attribute__((warn_unused_result));

#endif
