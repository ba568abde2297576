// expect: refused : #include_next
#pragma once
#include_next "first_future.hpp"
