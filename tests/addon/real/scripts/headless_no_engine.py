"""What headless.generate raises where no engine is installed."""

import addon

addon.enable()
headless = addon.part("ui.run.headless")
try:
    headless.generate("a hamburger")
except headless.HeadlessFailed as failure:
    addon.tell(code=failure.trouble.code, text=str(failure))
