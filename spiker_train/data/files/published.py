"""Published data sets of images: names of their files, and checksums.

Fashion-MNIST's files have the same names as MNIST's, and so the contents decide which set it is.
"""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["FASHION", "MNIST", "PUBLISHED", "Published", "contents", "identify"]

FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
"""Names of the four IDX files, by the array in them."""


@dataclass(frozen=True)
class Published:
    """A data set that is known by its contents.

    Members
    -------
    name, title : str
        Name in code, and name in sentences.
    archives, folders : tuple of str
        Names of ``.npz`` files with the set, and of folders with its IDX files.
    contents : mapping of str to str
        SHA-256 of each IDX file, uncompressed.
    source : str
        URL of the gzipped files.
    downloads : mapping of str to str
        Checksums of the gzipped files, as :class:`~.download.Download` takes them.
    """

    name: str
    title: str
    archives: tuple[str, ...]
    folders: tuple[str, ...]
    contents: Mapping[str, str]
    source: str
    downloads: Mapping[str, str]

    def files(self, folder: Path) -> dict[str, Path]:
        """Return the IDX files of the set in a folder, gzipped or not."""
        paths = {}
        for key, name in FILES.items():
            for spelling in (name, name.replace("-idx", ".idx")):
                for path in (folder / f"{spelling}.gz", folder / spelling):
                    if path.is_file():
                        paths[key] = path
        return paths


MNIST = Published(
    "mnist",
    "MNIST",
    ("mnist.npz",),
    ("mnist", "MNIST/raw"),
    {
        "x_train": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "y_train": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "x_test": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "y_test": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    {
        "x_train": "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "y_train": "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "x_test": "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "y_test": "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
)
FASHION = Published(
    "fashion",
    "Fashion-MNIST",
    ("fashion_mnist.npz", "fashion-mnist.npz", "fashion.npz"),
    ("fashion", "fashion_mnist", "fashion-mnist", "FashionMNIST/raw"),
    {
        "x_train": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "y_train": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "x_test": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "y_test": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    {
        "x_train": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "y_train": "md5:25c81989df183df01b3e8a0aad5dffbe",
        "x_test": "md5:bef4ecab320f06d8554ea6380940ec79",
        "y_test": "md5:bb300cfdad3c16e7a12a480ee83cd310",
    },
)
PUBLISHED = {published.name: published for published in (MNIST, FASHION)}
"""Published data sets by name."""


def contents(arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Return the SHA-256 of the IDX files that would have these arrays of bytes, by name."""
    digests = {}
    for key in FILES:
        array = np.ascontiguousarray(arrays[key], dtype=np.uint8)
        head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
        total = hashlib.sha256(head)
        total.update(array.data)
        digests[key] = total.hexdigest()
    return digests


def identify(arrays: Mapping[str, np.ndarray]) -> Published | None:
    """Return the published data set with these arrays, or None for any other."""
    digests = contents(arrays)
    return next(
        (published for published in PUBLISHED.values() if published.contents == digests), None
    )
