/* SPDX-License-Identifier: Apache-2.0 */
/* Who gave a command and why, for audits. */
#ifndef PROJECTOR_OPERATOR_H
#define PROJECTOR_OPERATOR_H

#include <stdbool.h>

/* "user@host"; freed by free(). */
char *
operator_name(void);

/* Whether it says anything: text in UTF-8, of bounded length. */
bool
operator_is_reason(const char *text);

#endif
