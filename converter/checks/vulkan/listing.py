"""``python -m converter.checks.vulkan.listing``: ncnn's Vulkan devices as JSON on stdout; what each can do, ncnn says
on stderr. A process of its own, for a driver may end it.
"""

import ctypes
import json
import os
from typing import Any

import ncnn

TYPES = ("discrete GPU", "integrated GPU", "virtual GPU", "CPU")
_INSTANCE, _PROPERTIES, _DRIVER, _APPLICATION = 1, 1000059001, 1000196000, 0  # VkStructureType
_VERSION = (1 << 22) | (2 << 12)  # 1.2, which has driver properties


class _Application(ctypes.Structure):
    _fields_ = (
        *(("type", ctypes.c_uint32), ("next", ctypes.c_void_p), ("name", ctypes.c_char_p)),
        *(("version", ctypes.c_uint32), ("engine", ctypes.c_char_p), ("engine_version", ctypes.c_uint32)),
        ("api", ctypes.c_uint32),
    )


class _Create(ctypes.Structure):
    _fields_ = (
        *(("type", ctypes.c_uint32), ("next", ctypes.c_void_p), ("flags", ctypes.c_uint32)),
        *(("application", ctypes.c_void_p), ("layers", ctypes.c_uint32), ("layer_names", ctypes.c_void_p)),
        *(("extensions", ctypes.c_uint32), ("extension_names", ctypes.c_void_p)),
    )


class _Driver(ctypes.Structure):
    """VkPhysicalDeviceDriverProperties."""

    _fields_ = (
        *(("type", ctypes.c_uint32), ("next", ctypes.c_void_p), ("id", ctypes.c_uint32)),
        *(("name", ctypes.c_char * 256), ("info", ctypes.c_char * 256), ("conformance", ctypes.c_uint8 * 4)),
    )


class _Properties(ctypes.Structure):
    """VkPhysicalDeviceProperties2, with more room than the limits need."""

    _fields_ = (
        *(("type", ctypes.c_uint32), ("next", ctypes.c_void_p), ("api", ctypes.c_uint32)),
        *(("version", ctypes.c_uint32), ("vendor", ctypes.c_uint32), ("device", ctypes.c_uint32)),
        *(("kind", ctypes.c_uint32), ("name", ctypes.c_char * 256), ("rest", ctypes.c_uint8 * 4096)),
    )


def drivers() -> dict[tuple[int, int, str], str]:
    """Vendor, device and its name to the driver's name and version, as Vulkan itself says; empty where it does not."""
    try:
        vulkan = ctypes.CDLL("libvulkan.so.1")
        application = _Application(_APPLICATION, None, None, 0, None, 0, _VERSION)
        create = _Create(_INSTANCE, None, 0, ctypes.cast(ctypes.pointer(application), ctypes.c_void_p))
        instance = ctypes.c_void_p()
        if vulkan.vkCreateInstance(ctypes.byref(create), None, ctypes.byref(instance)):
            return {}
        count = ctypes.c_uint32()
        vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), None)
        devices = (ctypes.c_void_p * count.value)()
        vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), devices)
        found = {}
        for device in devices:
            driver = _Driver(_DRIVER)
            properties = _Properties(_PROPERTIES, ctypes.cast(ctypes.pointer(driver), ctypes.c_void_p))
            vulkan.vkGetPhysicalDeviceProperties2(ctypes.c_void_p(device), ctypes.byref(properties))
            key = properties.vendor, properties.device, properties.name.decode(errors="replace")
            found[key] = " ".join(part.decode(errors="replace") for part in (driver.name, driver.info) if part)
        vulkan.vkDestroyInstance(instance, None)
    except (OSError, AttributeError):
        return {}
    return found


def devices() -> list[dict[str, Any]]:
    """In ncnn's order."""
    number = ncnn.get_gpu_count()
    named = drivers() if number > 0 else {}
    found = []
    for index in range(number):
        info = ncnn.get_gpu_info(index)
        vendor, device, name = info.vendor_id(), info.device_id(), str(info.device_name())
        found.append(
            {
                "name": name,
                "type": TYPES[info.type()] if 0 <= info.type() < len(TYPES) else "unknown",
                "driver": named.get((vendor, device, name), ""),
                "driver_version": info.driver_version(),
                "api": ".".join(str(info.api_version() >> shift & mask) for shift, mask in ((22, 127), (12, 1023))),
            }
        )
    return found


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what ncnn prints cannot get into the answer
    print(json.dumps(devices()), file=answers, flush=True)
    os._exit(0)  # what a driver does when it is unloaded is of no interest


if __name__ == "__main__":
    main()
