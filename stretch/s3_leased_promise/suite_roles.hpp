// The two kinds of processes in a siege, and what they say to the besieger.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "suite_support.hpp"

namespace leased_suite {

inline std::string line(std::initializer_list<std::string_view> words) {
  std::string text;
  for (const auto word : words) text.append(text.empty() ? "" : " ").append(word);
  return text;
}

// Claims, works, settles, until it is killed. Says what it has been told.
WORKBOOK_ROLE(work) {
  LeaseStore store(arguments[0]);
  const auto& name = arguments[1];
  const milliseconds ttl(std::stoi(arguments[2]));
  const int most_work = std::stoi(arguments[3]);
  std::mt19937_64 random(std::stoull(arguments[4]));
  while (true) {
    const auto claimed = store.claim(forever, name, ttl);
    if (!claimed) {
      workbook::tell(line({"trouble claim:", told(claimed)}));
      return 1;
    }
    if (!*claimed) {
      std::this_thread::sleep_for(5ms);
      continue;
    }
    const auto& lease = **claimed;
    const auto which = line({lease.id, std::to_string(lease.token)});
    workbook::tell(line({"claimed", which}));
    const auto steps = 1 + random() % 4;
    const bool honest = random() % 2 == 0;  // the others find out only when they settle
    Result<void> alive;
    for (std::size_t i = 0; i < steps && alive; ++i) {
      std::this_thread::sleep_for(std::chrono::microseconds(random() % (most_work * 1000 / 4)));
      if (honest) alive = store.heartbeat(forever, lease, ttl);
    }
    const auto start = std::chrono::steady_clock::now();
    const auto value = line({which, "by", name, std::to_string(random())});
    const auto result = alive ? store.settle(forever, lease, value) : alive;
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    if (result) {
      workbook::tell(line({"settled", which, std::to_string(took.count()), value}));
    } else {
      const bool lost = result.error().code == Errc::lease_lost;
      workbook::tell(line({lost ? "refused" : "trouble settle:", which, told(result)}));
    }
  }
}

// Awaits all promises in an order of its own, and says what came.
WORKBOOK_ROLE(await_all) {
  LeaseStore store(arguments[0], 200ms);
  std::vector<std::string> ids;
  for (int i = 0; i < std::stoi(arguments[1]); ++i) ids.push_back("p" + std::to_string(i));
  std::ranges::shuffle(ids, std::mt19937_64(std::stoull(arguments[2])));
  for (const auto& id : ids) {
    const auto result = store.await(forever, id);
    workbook::tell(result ? line({"got", id, *result}) : line({"trouble await:", told(result)}));
  }
  return 0;
}

}  // namespace leased_suite
