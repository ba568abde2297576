// Precompiled for each flavour: what suites and submissions include anyway, read once.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <cassert>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <expected>
#include <functional>
#include <future>
#include <gtest/gtest.h>
#include <iostream>
#include <latch>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <queue>
#include <random>
#include <ranges>
#include <semaphore>
#include <set>
#include <shared_mutex>
#include <source_location>
#include <span>
#include <sstream>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>
#if __has_include(<rapidcheck.h>)
#include <rapidcheck.h>
#endif

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"
#if __has_include("testing/kit.hpp")
#include "testing/kit.hpp"
#endif
