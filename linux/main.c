// SPDX-License-Identifier: GPL-2.0
/* The PCI function, and /dev/siommu. */
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pci.h>

#include "driver.h"

enum { VECTOR_COMMAND, VECTOR_FAULT, VECTOR_COUNTER, VECTORS };

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "siommu",
	.mode = 0666,		/* what a program may read and write its own files' modes say */
	.fops = &space_operations,
};

static int start(struct pci_dev *pdev)
{
	int error = directories_start();

	if (error)
		goto hardware;
	error = faults_start(pci_irq_vector(pdev, VECTOR_FAULT));
	if (error)
		goto directories;
	error = ssds_find();
	if (error) {
		dev_err(&pdev->dev, "no SSD with direct queues behind it\n");
		goto faults;
	}
	/* Processes' own tables have A and D that mean what they say. */
	hardware_write(SIOMMU_REG_CTRL, SIOMMU_REG_PREP(CTRL, MODE, SIOMMU_MODE_TRANSLATE) |
					SIOMMU_REG_PREP(CTRL, CHECK_AD, 1));
	error = misc_register(&device);
	if (!error) {
		statistics_start();
		return 0;
	}
	hardware_write(SIOMMU_REG_CTRL, 0);
	ssds_release();
faults:
	faults_stop();
directories:
	directories_stop();
hardware:
	hardware_stop();
	return error;
}

static int probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	int error = pcim_enable_device(pdev);

	if (!error)
		error = pcim_iomap_regions(pdev, 1, "siommu");
	if (error)
		return error;
	pci_set_master(pdev);
	error = pci_alloc_irq_vectors(pdev, VECTORS, VECTORS, PCI_IRQ_MSIX);
	if (error < 0)
		return error;
	error = hardware_start(pdev);
	if (!error)
		error = start(pdev);
	if (error)
		pci_free_irq_vectors(pdev);
	return error;
}

static void leave(struct pci_dev *pdev)
{
	statistics_stop();
	misc_deregister(&device);
	hardware_write(SIOMMU_REG_CTRL, 0);
	ssds_release();
	faults_stop();
	hardware_stop();
	directories_stop();
	pci_free_irq_vectors(pdev);
}

static const struct pci_device_id ids[] = {
	{ PCI_DEVICE(SIOMMU_VENDOR, SIOMMU_DEVICE) },
	{}
};
MODULE_DEVICE_TABLE(pci, ids);

static struct pci_driver siommu_driver = {
	.name = "siommu",
	.id_table = ids,
	.probe = probe,
	.remove = leave,
	/* Unbinding would take the hardware from under open spaces; removing the module waits. */
	.driver.suppress_bind_attrs = true,
};
module_pci_driver(siommu_driver);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Storage I/O memory management unit: direct access to files on an SSD");
