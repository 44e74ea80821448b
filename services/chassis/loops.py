"""What ends with an event loop's owner."""

import asyncio


async def cancel_others(seconds: float) -> None:
    """Cancel whatever else runs on this loop, and wait up to `seconds` for its end."""
    under_way = asyncio.all_tasks() - {asyncio.current_task()}
    for task in under_way:
        task.cancel()
    if under_way:
        await asyncio.wait(under_way, timeout=seconds)
