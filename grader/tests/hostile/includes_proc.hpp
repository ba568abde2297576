// expect: refused : /proc/self/environ
#pragma once
#include </proc/self/environ>
