// expect: refused : /etc/passwd
#pragma once
#include "/etc/passwd"
