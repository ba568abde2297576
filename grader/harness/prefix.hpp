// Precompiled for each flavour: what every suite includes anyway, read once.
//
// No more than that: a header under test is compiled after this one, and whatever else were in here
// could change what its words mean (with <future>, an unqualified async(f) may find std::async).
#pragma once

#include <gtest/gtest.h>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"
#if __has_include("testing/kit.hpp")
#include "testing/kit.hpp"
#endif
